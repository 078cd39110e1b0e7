import { describe, expect, test } from "vitest";
import { loadModel } from "../../lib/index.js";
import { inspect, type LoadOptions, load, PyObject, save } from "../../lib/torch/index.js";
import { isFull } from "../support/effort.js";
import { sdaError } from "../support/errors.js";
import { legacy } from "../support/legacy-builder.js";
import {
  BUILD,
  binbytes,
  binget,
  binput,
  bytes,
  type Code,
  call,
  dict,
  EMPTY_DICT,
  EMPTY_TUPLE,
  global,
  inst,
  int,
  join,
  list,
  longBinget,
  longBinput,
  MARK,
  MEMOIZE,
  NEWOBJ,
  NEWOBJ_EX,
  NONE,
  numpyArray,
  numpyDtype,
  OBJ,
  POP,
  pickle,
  REDUCE,
  STACK_GLOBAL,
  shortBinstring,
  shortBinunicode,
  stackGlobal,
  storage,
  str,
  THREE_FLOATS,
  tensor,
  tuple,
} from "../support/pickle-builder.js";
import { fileOf, refusal, refusedPickle } from "../support/torch-file.js";
import { torchZip } from "../support/zip-builder.js";

const DANGEROUS: [string, string][] = [
  ["os", "system"],
  ["posix", "system"],
  ["nt", "system"],
  ["subprocess", "Popen"],
  ["subprocess", "check_output"],
  ["builtins", "eval"],
  ["builtins", "exec"],
  ["builtins", "compile"],
  ["builtins", "getattr"],
  ["builtins", "__import__"],
  ["builtins", "open"],
  ["builtins", "print"],
  ["builtins", "type"],
  ["builtins", "object"],
  ["builtins", "map"],
  ["builtins", "slice"],
  ["__builtin__", "eval"],
  ["__builtin__", "apply"],
  ["__builtin__", "getattr"],
  ["runpy", "_run_code"],
  ["importlib", "import_module"],
  ["pickle", "loads"],
  ["_pickle", "loads"],
  ["marshal", "loads"],
  ["types", "FunctionType"],
  ["types", "CodeType"],
  ["functools", "partial"],
  ["operator", "attrgetter"],
  ["operator", "methodcaller"],
  ["copyreg", "_reconstructor"],
  ["copy_reg", "_reconstructor"],
  ["copyreg", "__newobj__"],
  ["codecs", "decode"],
  ["codecs", "encode"],
  ["_codecs", "decode"],
  ["shutil", "rmtree"],
  ["socket", "socket"],
  ["webbrowser", "open"],
  ["pty", "spawn"],
  ["asyncio.unix_events", "_UnixSubprocessTransport._start"],
  ["torch", "load"],
  ["torch", "save"],
  ["torch.hub", "load"],
  ["torch._utils", "_rebuild_sparse_tensors"],
  ["torch", "EvilTensor"],
  ["torch", "int8x"],
  ["numpy", "matrixx"],
  ["torch", "float32.__class__"],
  ["torch", "Tensor.map_"],
  ["torch.storage", "_load_from_bytes"],
  ["torch.serialization", "load"],
  ["torch.jit", "load"],
  ["torch.utils.data", "DataLoader"],
  ["torch.nn.modules.linear", "Linear"],
  ["numpy", "load"],
  ["numpy.testing._private.utils", "runstring"],
  ["collections", "namedtuple"],
  ["collections", "OrderedDict.fromkeys"],
  ["small_dataset_audio.training.config", "os.system"],
  ["small_dataset_audio", "config.os.system"],
  ["small_dataset_audio_evil", "OverfittingPreset"],
  ["small_dataset_audi", "o.x"],
  ["", "system"],
  ["os", ""],
  ["builtins dict", ""],
  ["torch ", "Size"],
];

const arguments_ = tuple(str("touch /tmp/owned"));

/** [title, bytes before the opcode that names the global, that opcode, bytes after it] */
function routes(module: string, name: string): [string, Code, Code, Code][] {
  const none = Buffer.alloc(0);
  const named = global(module, name);
  const memoised = join(
    str(name),
    binput(3),
    POP,
    shortBinunicode(Buffer.from(module)),
    longBinput(4),
    POP,
    longBinget(4),
    binget(3),
  );
  return [
    ["GLOBAL alone", none, named, none],
    ["GLOBAL and REDUCE", none, named, join(arguments_, REDUCE)],
    ["GLOBAL and NEWOBJ", none, named, join(arguments_, NEWOBJ)],
    ["GLOBAL and NEWOBJ_EX", none, named, join(arguments_, EMPTY_DICT, NEWOBJ_EX)],
    ["GLOBAL and OBJ", MARK, named, join(str("touch"), OBJ)],
    ["GLOBAL and BUILD", none, named, join(EMPTY_DICT, BUILD)],
    ["GLOBAL below POP", none, named, join(POP, NONE)],
    ["GLOBAL within a dict", join(EMPTY_DICT, MARK, str("a")), named, bytes(0x75)],
    ["STACK_GLOBAL", join(str(module), str(name)), STACK_GLOBAL, join(arguments_, REDUCE)],
    ["STACK_GLOBAL of memoised strings", memoised, STACK_GLOBAL, join(arguments_, REDUCE)],
    [
      "STACK_GLOBAL of MEMOIZEd strings",
      join(str(module), MEMOIZE, POP, str(name), MEMOIZE, POP, binget(0), binget(1)),
      STACK_GLOBAL,
      join(arguments_, REDUCE),
    ],
    [
      "STACK_GLOBAL of Python 2 strings",
      join(shortBinstring(Buffer.from(module)), shortBinstring(Buffer.from(name))),
      STACK_GLOBAL,
      none,
    ],
    ["INST", join(MARK, str("touch")), inst(module, name), none],
  ];
}

const OPTIONS: LoadOptions[] = [{}, { verify: false }, { weights: false }];

describe("a global that is not on the list is refused wherever it is named", () => {
  test.each(DANGEROUS.map((names, i) => [...names, i] as const))(
    "%s.%s",
    async (module, name, i) => {
      for (const [j, [how, before, opcode, after]] of routes(module, name).entries()) {
        if (how.includes("GLOBAL of Python 2") && Buffer.byteLength(module + name) > 200) continue;
        const code = pickle(before, opcode, after);
        const { bytes: content, records } = torchZip(code);
        const at = (records[0]?.data as number) + 2 + before.length;
        // `npm test` tries one kind of reading for each global and route, and all kinds in turn.
        for (const options of isFull ? OPTIONS : OPTIONS.slice((i + j) % 3, ((i + j) % 3) + 1)) {
          const error = await refusal(content, "ERR_SDA_UNSAFE", options);
          expect(error.details, how).toMatchObject({ global: `${module}.${name}`, offset: at });
          expect(error.message).toContain(`${module}.${name}`);
        }
      }
    },
  );

  test("in the legacy container", async () => {
    for (const [how, before, opcode, after] of routes("os", "system")) {
      const content = legacy(pickle(before, opcode, after));
      const error = await refusal(content, "ERR_SDA_UNSAFE");
      const at = content.indexOf(pickle(before, opcode, after)) + 2 + before.length;
      expect(error.details, how).toMatchObject({ global: "os.system", offset: at });
    }
  });

  test("a pickle of torch.storage._load_from_bytes within a pickle", async () => {
    const inner = legacy(pickle(call(global("os", "system"), str("touch"))));
    const code = call(global("torch.storage", "_load_from_bytes"), binbytes(inner));
    const error = await refusedPickle(code, "ERR_SDA_UNSAFE");
    expect(error.details?.["global"]).toBe("torch.storage._load_from_bytes");
  });
});

test("the error of load says how to read such a file, and that of loadModel does not", async () => {
  const path = fileOf(torchZip(pickle(call(global("someone.model", "Net")))).bytes);
  const error = await sdaError(() => load(path));
  expect(error.message).toMatch(/unknownGlobals: "inert" describes .* stateDict\(\) finds/);
  expect(error.details?.["global"]).toBe("someone.model.Net");
  const other = await sdaError(() => loadModel(path));
  expect(other.message).not.toContain("stateDict");
});

describe("unknownGlobals: inert", () => {
  test.each(DANGEROUS.slice(0, 12))("%s.%s is a description", async (module, name) => {
    for (const code of [
      call(global(module, name), str("touch")),
      join(stackGlobal(module, name), tuple(str("touch")), NEWOBJ),
      join(MARK, str("touch"), inst(module, name)),
      join(MARK, global(module, name), str("touch"), OBJ),
    ]) {
      const path = fileOf(torchZip(pickle(code)).bytes);
      const object = (await load(path, { unknownGlobals: "inert" })) as PyObject;
      expect(object).toBeInstanceOf(PyObject);
      expect(object).toMatchObject({ module, name, args: ["touch"], state: null });
      expect((await inspect(path)).globals).toEqual([`${module}.${name}`]);
    }
  });
});

describe("what is known is called for what it does, and for nothing else", () => {
  const dtype = global("torch", "float32");
  test.each<[string, Code, string | undefined]>([
    ["a dtype", call(dtype), "torch.float32"],
    ["a storage class", call(global("torch", "FloatStorage"), int(3)), "torch.FloatStorage"],
    [
      "an untyped storage class",
      call(global("torch", "UntypedStorage"), int(3)),
      "torch.UntypedStorage",
    ],
    ["ndarray", call(global("numpy", "ndarray"), tuple(int(3))), "numpy.ndarray"],
    ["Tensor", call(global("torch", "Tensor"), list(int(3))), "torch.Tensor"],
    [
      "Parameter of no tensor",
      call(global("torch.nn.parameter", "Parameter"), int(3)),
      "torch.nn.parameter.Parameter",
    ],
    [
      "NEWOBJ of a function",
      join(global("_codecs", "encode"), EMPTY_TUPLE, NEWOBJ),
      "_codecs.encode",
    ],
    ["NEWOBJ of Tensor", join(global("torch", "Tensor"), EMPTY_TUPLE, NEWOBJ), "torch.Tensor"],
    ["NEWOBJ of ndarray", join(global("numpy", "ndarray"), EMPTY_TUPLE, NEWOBJ), "numpy.ndarray"],
    ["NEWOBJ of int", join(global("builtins", "int"), tuple(int(1)), NEWOBJ), "builtins.int"],
    ["a call of a string", join(str("os.system"), arguments_, REDUCE), undefined],
    ["a call of a call", call(call(global("collections", "OrderedDict"))), undefined],
    ["an instance of a string", join(str("os.system"), arguments_, NEWOBJ), undefined],
    ["BUILD on a list", join(list(), EMPTY_DICT, BUILD), undefined],
    ["BUILD on a tensor", join(tensor({ storage: storage(3) }), EMPTY_DICT, BUILD), undefined],
    ["BUILD on a global", join(global("collections", "OrderedDict"), EMPTY_DICT, BUILD), undefined],
    [
      "codecs other than latin-1: hex",
      call(global("_codecs", "encode"), str("00"), str("hex")),
      "_codecs.encode",
    ],
    [
      "codecs other than latin-1: utf-8",
      call(global("_codecs", "encode"), str("00"), str("utf-8")),
      "_codecs.encode",
    ],
    [
      "codecs other than latin-1: rot13",
      call(global("_codecs", "encode"), str("00"), str("rot13")),
      "_codecs.encode",
    ],
    [
      "a codec that is left to chance",
      call(global("_codecs", "encode"), str("00")),
      "_codecs.encode",
    ],
    [
      "a subclass of ndarray",
      numpyArray(numpyDtype("f4"), tuple(int(0)), binbytes(Buffer.alloc(0)), {
        cls: global("small_dataset_audio", "Matrix"),
      }),
      "small_dataset_audio.Matrix",
    ],
    [
      "a subclass of Tensor",
      call(
        global("torch._tensor", "_rebuild_from_type_v2"),
        global("torch._utils", "_rebuild_tensor_v2"),
        global("small_dataset_audio", "Tensor"),
        EMPTY_TUPLE,
        EMPTY_DICT,
      ),
      "small_dataset_audio.Tensor",
    ],
    [
      "another function to rebuild a Tensor with",
      call(
        global("torch._tensor", "_rebuild_from_type_v2"),
        global("_codecs", "encode"),
        global("torch", "Tensor"),
        EMPTY_TUPLE,
        EMPTY_DICT,
      ),
      "_codecs.encode",
    ],
    [
      "rebuilding a Tensor with itself",
      call(
        global("torch._tensor", "_rebuild_from_type_v2"),
        global("torch._tensor", "_rebuild_from_type_v2"),
        global("torch", "Tensor"),
        EMPTY_TUPLE,
        EMPTY_DICT,
      ),
      "torch._tensor._rebuild_from_type_v2",
    ],
  ])("%s", async (_, code, name) => {
    const error = await refusedPickle(code, "ERR_SDA_UNSAFE", { "0": THREE_FLOATS });
    if (name) expect(error.details?.["global"]).toBe(name);
    expect(error.details?.["offset"]).toEqual(expect.any(Number));
  });

  test.each([
    ["object", "O8"],
    ["unicode", "U5"],
    ["bytes", "S5"],
    ["void", "V8"],
    ["datetime", "M8"],
    ["long double", "f16"],
    ["none at all", ""],
    ["a byte order alone", "<"],
  ])("numpy arrays of dtype %s are described", async (_, code) => {
    const path = fileOf(torchZip(pickle(numpyDtype(code))).bytes);
    const dtype = (await load(path)) as PyObject;
    expect(dtype).toMatchObject({ module: "numpy", name: "dtype" });
    expect(dtype.args[0]).toBe(code);
  });

  test.each([
    ["a subarray", numpyDtype("f4", "|", tuple(numpyDtype("f4"), int(2)), NONE, NONE)],
    ["names", numpyDtype("f4", "|", NONE, tuple(str("a")), NONE)],
    ["fields", numpyDtype("f4", "|", NONE, NONE, dict([str("a"), NONE]))],
  ])("numbers with %s are damage", async (_, code) => {
    const error = await refusedPickle(code, "ERR_SDA_CORRUPT");
    expect(error.message).toContain("numbers with fields");
  });
});

describe("torch's and numpy's other values are described, and nothing is called", () => {
  test.each([
    ["torch._utils", "_rebuild_sparse_tensor"],
    ["torch._utils", "_rebuild_meta_tensor_no_storage"],
    ["torch._utils", "_rebuild_qtensor"],
    ["torch._utils", "_rebuild_nested_tensor"],
    ["torch._utils", "_rebuild_wrapper_subclass"],
    ["torch._utils", "_rebuild_device_tensor_from_cpu_tensor"],
    ["torch.serialization", "_get_layout"],
    ["torch.distributed.tensor", "DTensor"],
    ["numpy.ma.core", "_mareconstruct"],
  ])("%s.%s with arguments of anybody's", async (module, name) => {
    for (const args of [tuple(), tuple(str("touch /tmp/owned")), tuple(NONE, NONE, NONE, NONE)]) {
      const code = join(global(module, name), args, REDUCE);
      const path = fileOf(torchZip(pickle(code)).bytes);
      const value = (await load(path)) as PyObject & Record<string, unknown>;
      expect(value).toMatchObject({ module, name });
      // What the getters can't make sense of is a TypeError, and no crash.
      for (const getter of ["shape", "dtype", "values", "tensors", "data", "scales", "indices"]) {
        try {
          void value[getter];
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
        }
      }
    }
  });

  test("the result of a call is called in inert descriptions only", async () => {
    const code = call(call(global("a", "maker"), str("x")), int(1));
    await refusedPickle(code, "ERR_SDA_UNSAFE");
    const path = fileOf(torchZip(pickle(code)).bytes);
    const value = (await load(path, { unknownGlobals: "inert" })) as PyObject;
    expect(value).toMatchObject({ module: "", name: "", args: [1] });
    expect(value.callee).toMatchObject({ module: "a", name: "maker", args: ["x"] });
    const error = await sdaError(() => save(value, fileOf(Buffer.alloc(0))));
    expect(error.code).toBe("ERR_SDA_ARGUMENT");
    expect((await inspect(path)).globals).toEqual(["a.maker"]);
  });

  test.each([
    ["the module", Buffer.from("cnum\x84py\ndtype\n", "latin1")],
    ["the name", Buffer.from("cnumpy\ndtype\x84\n", "latin1")],
    ["that of INST", Buffer.from("(inumpy\ndtype\x84\n", "latin1")],
  ])("a global whose name is not UTF-8 is damage: %s", async (_, code) => {
    // Cut at the wrong byte, it would have another name when it is saved.
    const path = fileOf(torchZip(pickle(code)).bytes);
    const attempt = load(path, { unknownGlobals: "inert" });
    await expect(attempt).rejects.toMatchObject({ code: "ERR_SDA_CORRUPT", details: { path } });
  });

  test("getattr of a class and a name is the inner class", async () => {
    const inner = call(global("__builtin__", "getattr"), global("a.b", "Outer"), str("Inner"));
    const path = fileOf(torchZip(pickle(join(inner, tuple(int(1)), NEWOBJ))).bytes);
    const value = await load(path, { unknownGlobals: "inert" });
    expect(value).toMatchObject({ module: "a.b", name: "Outer.Inner", args: [1], callee: null });
  });
});

test("a name that is no UTF-8 is shown and refused", async () => {
  const code = pickle(join(Buffer.from("cos\xff\nsystem\n", "latin1")));
  const error = await sdaError(() => load(fileOf(torchZip(code).bytes)));
  expect(error.code).toBe("ERR_SDA_UNSAFE");
  expect(error.details?.["global"]).toBe("os\ufffd.system");
});
