/** Known tricks against pickle scanners that involve more than one rule of the reader. */
import { mkdirSync, readdirSync } from "node:fs";
import { join as joinPath } from "node:path";
import { describe, expect, test } from "vitest";
import { checkpointAddon } from "../../lib/native/load.js";
import { inspect, load, type PyObject } from "../../lib/torch/index.js";
import { sdaError } from "../support/errors.js";
import { temporaryFolder } from "../support/folder.js";
import { legacy } from "../support/legacy-builder.js";
import {
  APPEND,
  BUILD,
  binbytes,
  binget,
  binput,
  bytes,
  type Code,
  call,
  DUP,
  dict,
  EMPTY_LIST,
  EMPTY_TUPLE,
  global,
  int,
  join,
  MEMOIZE,
  NEWOBJ,
  NONE,
  POP,
  pickle,
  proto,
  REDUCE,
  STACK_GLOBAL,
  STOP,
  stackGlobal,
  storage,
  str,
  THREE_FLOATS,
  tensor,
  textOpcode,
} from "../support/pickle-builder.js";
import { fileOf, loadBytes, loadPickle, refusal, refusedPickle } from "../support/torch-file.js";
import { torchZip } from "../support/zip-builder.js";

const UNSAFE = "ERR_SDA_UNSAFE";
const CORRUPT = "ERR_SDA_CORRUPT";
const payload = call(global("os", "system"), str("touch owned"));
const archive = (code: Buffer) => torchZip(code, { "0": THREE_FLOATS }).bytes;

describe("chains that never name the function they call", () => {
  const getattr = (from: Code, name: string) =>
    call(global("builtins", "getattr"), from, str(name));
  const imported = call(global("importlib", "import_module"), str("os"));
  test.each<[string, Code, string]>([
    ["getattr of an import", call(getattr(imported, "system"), str("id")), "builtins.getattr"],
    [
      "attrgetter of a known class",
      call(
        call(global("operator", "attrgetter"), str("__class__.__base__.__subclasses__")),
        global("collections", "OrderedDict"),
      ),
      "operator.attrgetter",
    ],
    [
      "methodcaller",
      call(call(global("operator", "methodcaller"), str("system"), str("id")), imported),
      "operator.methodcaller",
    ],
    [
      "partial of a partial",
      call(call(global("functools", "partial"), global("functools", "reduce"))),
      "functools.partial",
    ],
    [
      "a dotted name through a known class",
      global("collections", "OrderedDict.__reduce_ex__"),
      "collections.OrderedDict.__reduce_ex__",
    ],
    [
      "a dotted name through a torch module",
      stackGlobal("torch", "serialization.os.system"),
      "torch.serialization.os.system",
    ],
    ["map over a list", call(global("builtins", "map"), global("os", "system")), "builtins.map"],
    [
      "a file loaded from within",
      call(global("torch.storage", "_load_from_bytes"), binbytes(pickle(payload))),
      "torch.storage._load_from_bytes",
    ],
    ["a class that a package runs", call(global("__torch__.models", "M")), "__torch__.models.M"],
  ])("%s", async (_, code, name) => {
    const error = await refusedPickle(code, UNSAFE);
    expect(error.details?.["global"]).toBe(name);
  });
});

describe("what stands around the payload", () => {
  test("a pickle that breaks off behind its payload is refused for the payload", async () => {
    for (const tail of [
      bytes(0xff),
      Buffer.alloc(0),
      textOpcode("I", "x"),
      bytes(0x58, 255, 255),
    ]) {
      const error = await refusal(archive(join(proto(2), payload, tail)), UNSAFE);
      expect(error.details?.["global"]).toBe("os.system");
      expect(
        (await sdaError(() => inspect(fileOf(archive(join(proto(2), payload, tail)))))).code,
      ).toMatch(/CORRUPT|FORMAT/);
    }
  });

  test("a payload behind STOP is no part of the pickle, to Python either", async () => {
    const content = archive(join(proto(2), int(7), STOP, payload, STOP));
    await expect(loadBytes(content)).resolves.toBe(7);
    expect((await inspect(fileOf(content))).globals).toEqual([]);
  });

  test("in the legacy container what stands behind STOP is the next pickle", async () => {
    const root = join(pickle(int(7)), pickle(payload));
    expect((await refusal(legacy(root), UNSAFE)).details?.["global"]).toBe("os.system");
  });

  test("a payload whose result is thrown away, on top of a harmless object", async () => {
    for (const code of [join(payload, POP, NONE), join(dict([str("a"), payload]), POP, NONE)])
      await refusedPickle(code, UNSAFE);
  });

  test("a pickle in a pickle stays bytes", async () => {
    const inner = pickle(payload);
    const read = (await loadPickle(binbytes(inner))) as Uint8Array;
    expect(Buffer.from(read).equals(inner)).toBe(true);
    expect((await inspect(fileOf(archive(pickle(binbytes(inner)))))).globals).toEqual([]);
  });

  test("a payload in protocol 0, whose opcodes are text", async () => {
    const code = join(global("posix", "system"), Buffer.from("(S'id'\ntR."));
    expect((await refusal(archive(code), UNSAFE)).details?.["global"]).toBe("posix.system");
  });

  test("protocols that lie: PROTO in the middle, newer opcodes in older protocols", async () => {
    const lies = [
      join(proto(0), payload, STOP),
      join(proto(2), proto(5), proto(3), payload, STOP),
      join(proto(2), call(stackGlobal("os", "system")), STOP),
      join(payload, STOP),
    ];
    for (const code of lies)
      expect((await refusal(archive(code), UNSAFE)).details?.["global"]).toBe("os.system");
  });
});

describe("the memo and the stack", () => {
  test("a name that is overwritten in the memo after it looked harmless", async () => {
    const code = join(
      ...[str("collections"), binput(0), POP, str("OrderedDict"), binput(1), POP],
      ...[str("os"), binput(0), POP, str("system"), binput(1), POP],
      ...[binget(0), binget(1), STACK_GLOBAL, EMPTY_TUPLE, REDUCE],
    );
    expect((await refusedPickle(code, UNSAFE)).details?.["global"]).toBe("os.system");
  });

  test("names made by DUP and MEMOIZE", async () => {
    const code = join(str("os"), MEMOIZE, DUP, POP, str("system"), STACK_GLOBAL);
    expect((await refusedPickle(code, UNSAFE)).details?.["global"]).toBe("os.system");
  });

  test("a list that holds itself is read, listed and verified", async () => {
    const content = archive(pickle(EMPTY_LIST, binput(0), binget(0), APPEND));
    const path = fileOf(content);
    const read = (await load(path)) as unknown[];
    expect(read[0]).toBe(read);
    expect((await inspect(path)).tensors).toEqual([]);
    expect((await checkpointAddon().verify(path)).problems).toEqual([]);
  });
});

describe("state for objects", () => {
  const object = join(global("small_dataset_audio", "A"), EMPTY_TUPLE, NEWOBJ);

  test("__setstate__, __class__ and __reduce__ are attributes like others", async () => {
    const names = ["__setstate__", "__class__", "__reduce__", "__dict__"];
    const state = dict(...names.map((name): [Code, Code] => [str(name), str("x")]));
    const read = (await loadPickle(join(object, state, BUILD))) as PyObject;
    expect(
      JSON.stringify(read.state instanceof Map ? [...read.state.keys()] : read.state),
    ).toContain("__setstate__");
    await refusedPickle(
      join(object, dict([str("__setstate__"), global("os", "system")]), BUILD),
      UNSAFE,
    );
  });

  test("keys that mean something to JavaScript change no prototype", async () => {
    const names = ["__proto__", "constructor", "prototype", "toString", "then"];
    const evil = dict(
      ...names.map((name): [Code, Code] => [str(name), dict([str("polluted"), int(1)])]),
    );
    for (const code of [evil, dict([str("__proto__"), evil]), join(object, evil, BUILD)])
      await loadPickle(code);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    expect(Object.keys(Object.prototype)).toEqual([]);
    await inspect(
      fileOf(archive(pickle(dict([str("__proto__"), tensor({ storage: storage(3) })])))),
    );
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});

describe("records", () => {
  const harmless = pickle(int(7));

  test("names that lead out of the folder are names: nothing is unpacked", async () => {
    const folder = temporaryFolder();
    mkdirSync(joinPath(folder, "inner"));
    const names = [
      "archive/../../owned",
      "archive//etc/owned",
      "archive/..\\owned",
      "archive/C:owned",
    ];
    const more = names.map((name) => ({ name, data: Buffer.from("x") }));
    const path = fileOf(torchZip(harmless, {}, { more }).bytes);
    await expect(load(path)).resolves.toBe(7);
    await expect(inspect(path)).resolves.toBeDefined();
    expect(readdirSync(folder)).toEqual(["inner"]);
    expect(readdirSync(joinPath(path, ".."))).toHaveLength(1);
  });

  test("a TorchScript archive's pickle names classes of its own alone", async () => {
    const { bytes: content } = torchZip(
      pickle(payload),
      {},
      {
        content: { "constants.pkl": pickle(NONE), "code/__torch__.py": "class M: ..." },
      },
    );
    expect((await refusal(content, UNSAFE)).details).toMatchObject({ global: "os.system" });
  });

  test("bytes between records are nothing", async () => {
    const change = { "data.pkl": { after: pickle(payload) } };
    await expect(loadBytes(torchZip(harmless, {}, { change }).bytes)).resolves.toBe(7);
  });
});

describe("two end records", () => {
  const good = torchZip(pickle(int(7)), {}, { zip64: false }).bytes;
  const evil = torchZip(pickle(payload), {}, { zip64: false }).bytes;

  test("an archive in another one's comment", async () => {
    const inside = torchZip(pickle(int(7)), {}, { zip64: false, end: { comment: evil } }).bytes;
    // The last end record counts. Its offsets do not fit this file.
    await refusal(inside, CORRUPT);
  });

  test("an end record behind the file's end", async () => {
    await refusal(join(good, evil.subarray(-22)), CORRUPT);
    // Other bytes behind it change nothing.
    for (const more of ["more", "\n", "\0".repeat(4096)]) {
      expect(await load(fileOf(join(good, Buffer.from(more))))).toBe(7);
    }
  });
});
