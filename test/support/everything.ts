import {
  BUILD,
  binbytes,
  binget,
  binput,
  bytearray8,
  type Code,
  call,
  dict,
  EMPTY_TUPLE,
  global,
  int,
  join,
  list,
  NEWOBJ,
  numpyArray,
  numpyDtype,
  orderedDict,
  pickle,
  set,
  stackGlobal,
  str,
  THREE_FLOATS,
  tensor,
  tuple,
} from "./pickle-builder.js";

/** A pickle with one value of each kind the reader knows. `code` is a storage of three floats. */
export function everything(code: Code): Code {
  return pickle(
    dict(
      [str("ints"), list(int(-1), int(2n ** 63n - 1n), int(-(2n ** 70n)))],
      [str("set"), set(int(1), str("é"))],
      [str("bytes"), list(binbytes(THREE_FLOATS), bytearray8(THREE_FLOATS))],
      [str("latin"), call(global("_codecs", "encode"), str("é\u0000a"), str("latin1"))],
      [str("state"), join(orderedDict, binput(7), dict([str("version"), int(1)]), BUILD)],
      [str("again"), binget(7)],
      [
        str("object"),
        join(stackGlobal("small_dataset_audio", "A"), EMPTY_TUPLE, NEWOBJ, dict(), BUILD),
      ],
      [
        str("array"),
        numpyArray(numpyDtype("f4", ">"), tuple(int(1), int(3)), binbytes(THREE_FLOATS)),
      ],
      [
        str("scalar"),
        call(
          global("numpy.core.multiarray", "scalar"),
          numpyDtype("i2"),
          binbytes(Buffer.from("ab")),
        ),
      ],
      [str("complex"), call(global("builtins", "complex"), int(1), int(2))],
      [str("tensor"), tensor({ storage: join(code, binput(9)) })],
      [
        str("strided"),
        tensor({ storage: binget(9), shape: tuple(int(3), int(2)), stride: tuple(int(1), int(0)) }),
      ],
    ),
  );
}
