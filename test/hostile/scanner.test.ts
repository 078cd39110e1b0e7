/**
 * Ways around scanners of model files, as doc/scanner.md lists them. Each row builds the file: what
 * Python would run in it must never be judged safe.
 */
import { writeFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import { deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { type ScannedFile, type ScanRule, type ScanVerdict, scan } from "../../lib/torch/index.js";
import { temporaryFolder } from "../support/folder.js";
import { legacy } from "../support/legacy-builder.js";
import {
  BINPERSID,
  BUILD,
  binget,
  binput,
  bytes,
  type Code,
  call,
  dict,
  EMPTY_TUPLE,
  ext1,
  ext2,
  ext4,
  frame,
  global,
  inst,
  int,
  join,
  list,
  MARK,
  MEMOIZE,
  NEWOBJ,
  NONE,
  OBJ,
  POP,
  persid,
  pickle,
  proto,
  REDUCE,
  STACK_GLOBAL,
  STOP,
  shortBinbytes,
  shortBinstring,
  shortBinunicode,
  stackGlobal,
  str,
  THREE_FLOATS,
  textOpcode,
  tuple,
} from "../support/pickle-builder.js";
import { tensorZip } from "../support/torch-file.js";
import { descriptor, torchZip, zip } from "../support/zip-builder.js";

const text = (content: string) => Buffer.from(content, "latin1");
/** The call that an attack makes. */
const payload = call(global("posix", "system"), str("echo owned"));
const evil = pickle(payload);
const evilZip = torchZip(evil).bytes;
const harmless = pickle(dict([str("a"), int(1)]));

/** Judges one file under a name. */
async function judged(content: Buffer, name = "model.pt"): Promise<ScannedFile> {
  const folder = temporaryFolder();
  writeFileSync(joinPath(folder, name), content);
  const { files, ok, counts } = await scan(folder);
  const [file] = files as [ScannedFile];
  expect(files).toHaveLength(1);
  expect(ok).toBe(["safe", "other"].includes(file.verdict));
  expect(counts[file.verdict]).toBe(1);
  return file;
}

type Row = [title: string, content: () => Buffer, verdict: ScanVerdict, found?: string];

/** `found`: a global that a finding must name, or the rule of a finding */
function check(rows: Row[], name?: string): void {
  test.each(rows)("%s", async (_, content, verdict, found) => {
    const file = await judged(content(), name);
    expect(file.verdict, JSON.stringify(file)).toBe(verdict);
    const named = file.findings.flatMap(({ global: g, rule }) => [g, rule]);
    if (found !== undefined) expect(named).toContain(found);
    for (const { message } of file.findings) expect(message).not.toBe("");
  });
}

describe("a name that lists of bad names lack", () => {
  const NAMES: [module: string, name: string, rule: ScanRule][] = [
    ["posix", "system", "runs-command"],
    ["nt", "system", "runs-command"],
    ["os", "execvp", "runs-command"],
    ["posix", "posix_spawn", "runs-command"],
    ["pty", "spawn", "runs-command"],
    ["pydoc", "pipepager", "runs-command"],
    ["asyncio.unix_events", "_UnixSubprocessTransport._start", "runs-command"],
    ["distutils.spawn", "spawn", "runs-command"],
    ["webbrowser", "open", "runs-command"],
    ["idlelib.pyshell", "ModifiedInterpreter.runcode", "runs-command"],
    ["torch.utils.collect_env", "run", "runs-command"],
    ["builtins", "eval", "runs-code"],
    ["__builtin__", "execfile", "runs-code"],
    ["runpy", "_run_code", "runs-code"],
    ["code", "InteractiveInterpreter.runcode", "runs-code"],
    ["timeit", "timeit", "runs-code"],
    ["cProfile", "run", "runs-code"],
    ["cProfile", "runctx", "runs-code"],
    ["profile", "Profile.run", "runs-code"],
    ["bdb", "Bdb.run", "runs-code"],
    ["pdb", "run", "runs-code"],
    ["trace", "Trace.run", "runs-code"],
    ["doctest", "debug_script", "runs-code"],
    ["lib2to3.pgen2.grammar", "Grammar.loadgrammar", "runs-code"],
    ["torch.utils.bottleneck.__main__", "run_cprofile", "runs-code"],
    ["torch._dynamo.guards", "GuardBuilder.get", "runs-code"],
    ["torch._inductor.codecache", "compile_file", "runs-code"],
    ["torch.jit.unsupported_tensor_ops", "execWrapper", "runs-code"],
    ["torch.fx.experimental.symbolic_shapes", "ShapeEnv.evaluate_guards_expression", "runs-code"],
    ["numpy.testing._private.utils", "runstring", "runs-code"],
    ["numpy.f2py.crackfortran", "getlincoef", "runs-code"],
    ["pip", "main", "fetches-code"],
    ["pip._internal", "main", "fetches-code"],
    ["ensurepip", "_run_pip", "fetches-code"],
    ["torch.hub", "load", "fetches-code"],
    ["torch.utils.cpp_extension", "load_inline", "native-code"],
    ["ctypes", "CDLL", "native-code"],
    ["torch.ops", "load_library", "native-code"],
    ["importlib", "import_module", "imports-code"],
    ["pkgutil", "resolve_name", "imports-code"],
    ["builtins", "__import__", "imports-code"],
    ["builtins", "getattr", "builds-calls"],
    ["operator", "methodcaller", "builds-calls"],
    ["functools", "partial", "builds-calls"],
    ["copyreg", "_reconstructor", "builds-calls"],
    ["collections", "namedtuple", "builds-calls"],
    ["pickle", "loads", "unpickles"],
    ["marshal", "loads", "unpickles"],
    ["dill._dill", "_create_function", "unpickles"],
    ["cloudpickle.cloudpickle", "_make_function", "unpickles"],
    ["joblib.numpy_pickle", "NumpyArrayWrapper", "unpickles"],
    ["torch.storage", "_load_from_bytes", "unpickles"],
    ["torch.utils._config_module", "ConfigModule.load_config", "unpickles"],
    ["numpy", "load", "unpickles"],
    ["socket", "create_connection", "uses-network"],
    ["ssl", "get_server_certificate", "uses-network"],
    ["requests.api", "get", "uses-network"],
    ["_io", "FileIO", "touches-files"],
    ["builtins", "open", "touches-files"],
    ["linecache", "getline", "touches-files"],
    ["shutil", "rmtree", "touches-files"],
    ["os", "putenv", "touches-files"],
    ["torch", "save", "touches-files"],
    ["torch.nn.modules.linear", "Linear", "torch-code"],
    ["numpy", "poly1d", "torch-code"],
    ["small_dataset_audio.models", "delete_model", "program-function"],
    ["distill.models", "delete_model", "program-function"],
    ["ultralytics.nn.tasks", "DetectionModel", "foreign-code"],
    ["oswald", "system", "foreign-code"],
    // Reached as an attribute of another module
    ["torch.serialization", "os.system", "runs-command"],
    ["numpy.f2py", "sys.modules", "builds-calls"],
    ["ultralytics.utils", "subprocess.Popen", "runs-command"],
    ["small_dataset_audio.training.config", "os.system", "runs-command"],
    ["mycls", "__builtins__.eval", "runs-code"],
  ];

  test.each(NAMES)("%s.%s: %s", async (module, name, rule) => {
    const code = call(stackGlobal(module, name), str("1"));
    for (const content of [torchZip(pickle(code)).bytes, pickle(code), legacy(pickle(code))]) {
      const { verdict, globals, findings } = await judged(content);
      expect([verdict, globals]).toEqual(["refused", [`${module}.${name}`]]);
      expect(findings[0]).toMatchObject({ rule, global: `${module}.${name}` });
      expect(findings[0]?.message).toMatch(/^\S+ \w+.* \w+/);
    }
  });
});

describe("how a pickle names and calls", () => {
  const name = (...parts: Code[]) => torchZip(pickle(...parts, tuple(str("echo")), REDUCE)).bytes;
  const posix = shortBinunicode(text("posix"));
  const system = shortBinunicode(text("system"));
  const rows: Row[] = [
    ["GLOBAL and REDUCE", () => evilZip, "refused", "posix.system"],
    [
      "STACK_GLOBAL with texts of the memo",
      () =>
        name(
          join(posix, binput(0), POP, system, binput(1), POP),
          join(binget(0), binget(1), STACK_GLOBAL),
        ),
      "refused",
      "posix.system",
    ],
    [
      "STACK_GLOBAL with texts that MEMOIZE numbers",
      () =>
        name(
          join(system, MEMOIZE, POP, posix, MEMOIZE, POP, str("x"), POP),
          join(binget(1), binget(0), STACK_GLOBAL),
        ),
      "refused",
      "posix.system",
    ],
    [
      "STACK_GLOBAL with bytes of Python 2 as names",
      () => name(join(shortBinstring(text("posix")), shortBinstring(text("system")), STACK_GLOBAL)),
      "refused",
      "posix.system",
    ],
    [
      "INST, which names and calls at once",
      () => torchZip(join(MARK, str("echo"), inst("posix", "system"), STOP)).bytes,
      "refused",
      "posix.system",
    ],
    [
      "OBJ",
      () => torchZip(pickle(MARK, global("posix", "system"), str("echo"), OBJ)).bytes,
      "refused",
      "posix.system",
    ],
    [
      "NEWOBJ",
      () => torchZip(pickle(global("subprocess", "Popen"), tuple(str("echo")), NEWOBJ)).bytes,
      "refused",
      "subprocess.Popen",
    ],
    [
      "BUILD, which calls __setstate__",
      () =>
        torchZip(pickle(global("http.cookiejar", "CookieJar"), EMPTY_TUPLE, NEWOBJ, dict(), BUILD))
          .bytes,
      "refused",
      "http.cookiejar.CookieJar",
    ],
    [
      "opcodes of protocol 0",
      () => text("cposix\nsystem\n(S'echo'\ntR."),
      "refused",
      "posix.system",
    ],
    [
      "protocol 0 in an archive",
      () => torchZip(text("cposix\nsystem\n(S'echo'\ntR.")).bytes,
      "refused",
      "posix.system",
    ],
    ["a payload without PROTO", () => join(payload, STOP), "refused", "posix.system"],
    ["EXT1, a number of the registry", () => pickle(ext1(1), EMPTY_TUPLE, REDUCE), "refused"],
    ["EXT2 in an archive", () => torchZip(pickle(ext2(300))).bytes, "refused", "unusual-call"],
    ["EXT4 in a bare pickle", () => pickle(ext4(70_000)), "refused", "unusual-call"],
    [
      "a known function with other arguments",
      () => pickle(call(global("_codecs", "encode"), str("x"), str("rot13"))),
      "refused",
      "_codecs.encode",
    ],
    [
      "a known class that opens a file when it is called",
      () => torchZip(pickle(call(global("numpy", "memmap"), str("x"), str("b"), str("w+")))).bytes,
      "refused",
      "numpy.memmap",
    ],
    [
      "the state of a known class",
      () => torchZip(pickle(global("torch", "Tensor"), dict([str("a"), int(1)]), BUILD)).bytes,
      "refused",
      "torch.Tensor",
    ],
    [
      "a known class that rebuilds another one",
      () =>
        torchZip(
          pickle(
            call(
              global("torch._tensor", "_rebuild_from_type_v2"),
              global("numpy", "memmap"),
              global("torch", "Tensor"),
              tuple(str("x"), str("b"), str("w+")),
              dict(),
            ),
          ),
        ).bytes,
      "refused",
      "numpy.memmap",
    ],
    [
      "a call of what a call returns",
      () => pickle(call(call(global("_codecs", "encode"), str("x"), str("latin1")), str("y"))),
      "refused",
    ],
    [
      "a payload in a list that is thrown away",
      () => pickle(list(payload), POP, NONE),
      "refused",
      "posix.system",
    ],
    [
      "a payload behind a megabyte of text",
      () => torchZip(pickle(str("x".repeat(2 ** 20)), POP, payload)).bytes,
      "refused",
      "posix.system",
    ],
    [
      "a pickle within bytes, and the function that reads it",
      () => pickle(call(global("pickle", "loads"), shortBinbytes(evil))),
      "refused",
      "pickle.loads",
    ],
    [
      "a persistent id that is a call",
      () => torchZip(pickle(payload, BINPERSID)).bytes,
      "refused",
      "posix.system",
    ],
    [
      "frames that end within an argument",
      () => torchZip(pickle(frame(3), payload)).bytes,
      "refused",
    ],
  ];
  check(rows);
});

describe("a pickle that fails after it has executed", () => {
  const broken = (end: Code) => join(proto(2), payload, end);
  const rows: Row[] = [
    ["an unknown opcode behind the payload", () => broken(bytes(0xff)), "refused", "posix.system"],
    ["the end of the file behind the payload", () => broken(text("")), "refused", "posix.system"],
    ["a length beyond the end", () => broken(text("X\xff\xff\xff\x7f")), "refused", "posix.system"],
    ["a stack that is empty", () => broken(text("00000.")), "refused", "posix.system"],
    [
      "an unknown opcode in an archive",
      () => torchZip(broken(bytes(0xff))).bytes,
      "refused",
      "posix.system",
    ],
    [
      "a function of the program, and an unknown opcode",
      () =>
        torchZip(join(proto(2), call(global("distill.models", "delete_model")), bytes(0xff))).bytes,
      "refused",
      "program-function",
    ],
    [
      "an unknown opcode in the legacy container",
      () => legacy(broken(bytes(0xff))),
      "refused",
      "posix.system",
    ],
    ["nothing but an unknown opcode", () => join(proto(2), bytes(0xff)), "damaged", "damaged"],
    [
      "known names and an unknown opcode",
      () => torchZip(join(proto(2), global("collections", "OrderedDict"), bytes(0xff))).bytes,
      "damaged",
      "damaged",
    ],
  ];
  check(rows);
});

describe("pickles behind each other", () => {
  const rows: Row[] = [
    ["a harmless pickle, then another one", () => join(harmless, evil), "refused", "posix.system"],
    [
      "three, of which the last is of protocol 0",
      () => join(harmless, harmless, text("cposix\nsystem\n(S'echo'\ntR.")),
      "refused",
      "posix.system",
    ],
    [
      "a broken one as the second",
      () => join(harmless, proto(2), payload, bytes(0xff)),
      "refused",
      "posix.system",
    ],
    ["two harmless ones", () => join(harmless, harmless), "safe"],
    ["a pickle and other bytes", () => join(harmless, text("\0\0\0 and more")), "safe"],
    [
      "behind STOP of an archive's pickle, where nothing reads",
      () => torchZip(join(harmless, evil)).bytes,
      "safe",
    ],
    [
      "among the pickles of the legacy container",
      () => legacy(join(pickle(NONE), evil)),
      "refused",
      "posix.system",
    ],
  ];
  check(rows);
});

/** A zip archive as other writers make it, with inflated sizes in its headers. */
function deflated(files: Record<string, Buffer>): Buffer {
  const entries = Object.entries(files).map(([name, content]) => {
    const data = deflateRawSync(content);
    const sizes = { method: 8, flags: 0, stored: data.length, size: content.length };
    return { name, data, local: sizes, central: sizes, descriptor: null };
  });
  return zip(entries, { zip64: false, align: 1 }).bytes;
}

const stored = (files: Record<string, Buffer>) =>
  zip(
    Object.entries(files).map(([name, data]) => ({ name, data, descriptor: null })),
    { zip64: false, align: 1 },
  ).bytes;

describe("tricks with zip archives", () => {
  const tricked = (change: Parameters<typeof torchZip>[2]) => torchZip(evil, {}, change).bytes;
  const rows: Row[] = [
    [
      "a wrong CRC",
      () => tricked({ change: { "data.pkl": { central: { crc: 1 } } } }),
      "refused",
      "posix.system",
    ],
    [
      "a wrong CRC in the descriptor alone",
      () => tricked({ change: { "data.pkl": { descriptor: descriptor(7, evil.length) } } }),
      "refused",
      "posix.system",
    ],
    [
      "a wrong CRC of another record",
      () => tricked({ change: { version: { central: { crc: 1 } } } }),
      "refused",
      "posix.system",
    ],
    [
      "the flag of encryption in the directory",
      () => tricked({ change: { "data.pkl": { central: { flags: 1 } } } }),
      "refused",
      "posix.system",
    ],
    [
      "the flag of encryption in the local header",
      () => tricked({ change: { "data.pkl": { local: { flags: 9 }, central: { flags: 8 } } } }),
      "refused",
      "posix.system",
    ],
    [
      "the flag of a patch",
      () => tricked({ change: { "data.pkl": { central: { flags: 0x28 } } } }),
      "refused",
      "posix.system",
    ],
    [
      "another name in the local header",
      () => tricked({ change: { "data.pkl": { local: { name: "archive/readme.md" } } } }),
      "refused",
      "posix.system",
    ],
    [
      "another name in the directory",
      () => tricked({ change: { "data.pkl": { central: { name: "archive/readme.md" } } } }),
      "refused",
      "posix.system",
    ],
    [
      "a name twice, the second with the payload",
      () => torchZip(harmless, {}, { more: [{ name: "archive/data.pkl", data: evil }] }).bytes,
      "refused",
      "posix.system",
    ],
    [
      "a name that differs in case",
      () => torchZip(harmless, {}, { more: [{ name: "archive/DATA.PKL", data: evil }] }).bytes,
      "refused",
      "posix.system",
    ],
    [
      "a size that is too small in the directory",
      () => tricked({ change: { "data.pkl": { central: { size: 4, stored: 4 } } } }),
      "refused",
      "posix.system",
    ],
    [
      "a directory that is cut off",
      () => evilZip.subarray(0, evilZip.length - 30),
      "refused",
      "posix.system",
    ],
    [
      "a wrong number of entries",
      () => tricked({ end: { entries: 1, entriesHere: 1 }, zip64: false }),
      "refused",
      "posix.system",
    ],
    [
      "an entry on another disk",
      () => tricked({ change: { "data.pkl": { central: { disk: 1 } } } }),
      "refused",
      "posix.system",
    ],
    [
      "compressed records, which PyTorch inflates",
      () => deflated({ "archive/data.pkl": evil, "archive/version": text("3\n") }),
      "refused",
      "posix.system",
    ],
    [
      "an archive in an archive",
      () => deflated({ "a.zip": deflated({ "b/model.pt": evilZip }) }),
      "refused",
      "posix.system",
    ],
    [
      "an archive with a pickle of another name",
      () => stored({ "policy.json": evil, "readme.txt": text("hello") }),
      "refused",
      "posix.system",
    ],
    [
      "a file in front of an archive, which torch.load unpickles",
      () => join(evil, tensorZip()),
      "refused",
      "posix.system",
    ],
    [
      "an encrypted file in an archive of another kind",
      () =>
        zip([{ name: "a.pkl", data: evil, descriptor: null, local: { flags: 1 } }], {
          zip64: false,
        }).bytes,
      "unreadable",
      "not-read",
    ],
    ["an archive of texts", () => deflated({ "a/b.txt": text("hello"), c: text("") }), "other"],
  ];
  check(rows);
});

describe("other containers of pickles", () => {
  const npy = (header: string, content: Buffer) => {
    const padded = text(`${header.padEnd(117)}\n`);
    const length = Buffer.alloc(2);
    length.writeUInt16LE(padded.length);
    return Buffer.concat([text("\x93NUMPY\x01\0"), length, padded, content]);
  };
  const objects = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }";
  const floats = "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }";
  const tar = (name: string, content: Buffer) => {
    const header = Buffer.alloc(512);
    header.write(name);
    header.write(`${content.length.toString(8).padStart(11, "0")}\0`, 124);
    header.write("0", 156);
    const sum = 8 * 32 + header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
    return Buffer.concat([header, content, padding, Buffer.alloc(1024)]);
  };
  const rows: Row[] = [
    ["an object array of numpy", () => npy(objects, evil), "refused", "posix.system"],
    [
      "a structured array with objects",
      () =>
        npy(
          "{'descr': [('a', '<f4'), ('b', '|O')], 'fortran_order': False, 'shape': (1,), }",
          evil,
        ),
      "refused",
      "posix.system",
    ],
    ["an array of numbers", () => npy(floats, THREE_FLOATS), "other"],
    [
      "a compressed archive of numpy arrays",
      () => deflated({ "x.npy": npy(floats, THREE_FLOATS), "y.npy": npy(objects, evil) }),
      "refused",
      "posix.system",
    ],
    [
      "a compressed archive of arrays of numbers",
      () => deflated({ "x.npy": npy(floats, THREE_FLOATS) }),
      "other",
    ],
    ["a pickle in gzip", () => gzipSync(evil), "refused", "posix.system"],
    ["a torch file in gzip", () => gzipSync(evilZip), "refused", "posix.system"],
    ["a pickle in zlib, as of joblib", () => deflateSync(evil), "refused", "posix.system"],
    ["a harmless torch file in gzip", () => gzipSync(tensorZip()), "safe"],
    ["a tar archive", () => tar("model.bin", evil), "refused", "posix.system"],
    ["a compressed tar archive", () => gzipSync(tar("model.bin", evil)), "refused", "posix.system"],
    ["the tar archive of old PyTorch", () => tar("storages", pickle(int(0))), "unreadable"],
    [
      "7z, which hides a pickle",
      () => text("7z\xbc\xaf\x27\x1c\0\x04 and more"),
      "unreadable",
      "not-read",
    ],
    ["xz", () => text("\xfd7zXZ\0\0\x04 and more"), "unreadable", "not-read"],
    ["bzip2", () => text("BZh91AY&SY and more"), "unreadable", "not-read"],
    ["gzip that is cut off", () => gzipSync(evil).subarray(0, 20), "damaged", "damaged"],
    [
      "a TorchScript archive",
      () => torchZip(harmless, {}, { content: { "constants.pkl": pickle(EMPTY_TUPLE) } }).bytes,
      "refused",
      "torchscript",
    ],
    [
      "a TorchScript archive with compressed code",
      () =>
        deflated({
          "m/data.pkl": harmless,
          "m/constants.pkl": pickle(EMPTY_TUPLE),
          "m/code/m.py": text("def f(): pass"),
        }),
      "refused",
      "torchscript",
    ],
    [
      "a pointer of Git LFS in place of the file",
      () => text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
      "unreadable",
      "not-read",
    ],
  ];
  check(rows);
});

describe("a name that says something else", () => {
  test.each([
    "model",
    "model.bin",
    "model.safetensors",
    "readme.txt",
    "config.json",
    "picture.png",
    ".hidden",
    "ümlaut \u202egnp.tp",
  ])("%s", async (name) => {
    for (const content of [evilZip, evil, text("cposix\nsystem\n(S'echo'\ntR.")]) {
      expect((await judged(content, name)).findings[0]?.global).toBe("posix.system");
    }
  });
});

describe("no alarm", () => {
  const rows: Row[] = [
    ["a tensor", () => tensorZip(), "safe"],
    ["a pickle of plain data", () => harmless, "safe"],
    ["a pickle of known names", () => pickle(call(global("collections", "OrderedDict"))), "safe"],
    [
      "a data.pkl that was taken out of its archive",
      () =>
        pickle(
          join(
            tuple(str("storage"), global("torch", "FloatStorage"), str("0"), str("cpu"), int(3)),
            BINPERSID,
          ),
        ),
      "safe",
    ],
    ["a text that begins like a pickle", () => text("cat\ndog\nRain\n"), "other"],
    ["a text that begins like a persistent id", () => text("Paris\ncat\ndog\n)R."), "other"],
    ["a text that begins like zlib", () => text("x^2 + y^2"), "other"],
    [
      "a font, whose first bytes are PROTO 1",
      () => text("\x80\x01\x5a\x0b\0\0%!PS-AdobeFont-1.0: Times"),
      "other",
    ],
    ["HTML", () => text("<html>"), "other"],
    ["nothing", () => text(""), "other"],
    ["a persistent id in protocol 0", () => join(persid("x"), textOpcode("I", "1"), STOP), "other"],
  ];
  check(rows);
});
