import { checkBoolean, checkOneOf, checkOptions, optionNames } from "../base/check.js";
import { SdaError } from "../base/errors.js";
import { isSdaError } from "../base/io-error.js";
import { atOnce } from "../native/at-once.js";
import { checkpointAddon } from "../native/load.js";
import { readInPieces } from "../native/read-values.js";
import type { ReadOptions } from "../native/types.js";
import type { HttpOptions } from "./containers/http.js";
import { readDistributed, readOther } from "./containers/others.js";
import { checkLimits, type Limits, readSource } from "./containers/read.js";
import type { Source } from "./containers/source.js";

export type { HttpOptions, Limits, Source };

/** The options of `load`. */
export interface LoadOptions {
  /**
   * true (default): `load` reads the weights into memory and checks the CRC-32 of each record.
   * Later changes of the file do not affect the result. false: `load` maps the file into memory and
   * copies nothing, and processes share the pages. If another program truncates the mapped file,
   * access to a lost page ends this process (SIGBUS). In both cases, writing to a tensor's `data`
   * does not change the file.
   */
  verify?: boolean;
  /**
   * The treatment of a global that is neither known nor of the Python program. "reject" (default):
   * refuse the file. "inert": describe an object of it as a `PyObject`, which runs nothing.
   */
  unknownGlobals?: "reject" | "inert";
  /**
   * What becomes of a `str` of Python 2, as in `torch.load`: text in "utf-8" (default) or "latin1",
   * or "bytes" (`Uint8Array`)
   */
  encoding?: "utf-8" | "latin1" | "bytes";
  /** false: read no weights; tensors have their dtype and shape, and empty `data`. Default: true */
  weights?: boolean;
  /** What the file may take; see `Limits` */
  limits?: Partial<Limits>;
  /** How an `http(s):` URL is read */
  http?: HttpOptions;
  /** Aborting rejects with the signal's reason */
  signal?: AbortSignal;
}

const OPTIONS = optionNames<LoadOptions>({
  verify: true,
  unknownGlobals: true,
  encoding: true,
  weights: true,
  limits: true,
  http: true,
  signal: true,
});

/**
 * Reads a file written by `torch.save`: zip, legacy or tar container, pickle protocols 0 to 5.
 * Other files that hold tensors are read as well:
 *
 * - TorchScript programs, as a `ScriptModule`
 * - programs of torch.export (`.pt2`), as a `Map` of `weights` and `constants`; the program itself
 *   is not read
 * - archives of torch.package, as a `Map` of its pickles
 * - distributed checkpoints (a folder with `.metadata`), as a `Map` of whole tensors
 * - pickles, also those of joblib
 * - `.npy` and `.npz` files, and safetensors
 * - each of these in a gzip or zlib stream, and archives whose records are deflated
 *
 * dict → `Map`, OrderedDict, Counter and defaultdict → `OrderedDict`, `Counter` and `DefaultDict`
 * (each a `Map`), list → `Array`, tuple and torch.Size → `Tuple` and deque → `Deque` (each an
 * `Array`), set → `Set`, int → `number` or, beyond 2^53 - 1, `bigint`, float → `number`, None →
 * `null`, bytes → `Uint8Array`, complex → `Complex`; tensors and storages → `Tensor`, numpy arrays
 * → `NdArray` (a `Tensor`), numpy scalars → `number`, `bigint`, `boolean` or `Complex`; sparse,
 * quantized, nested, jagged and meta tensors → `SparseTensor`, `QuantizedTensor`, `NestedTensor`,
 * `JaggedTensor` and `MetaTensor`; numpy arrays and scalars of texts, objects, dates and structures
 * → `NumpyArray` and `NumpyScalar`; an object of a class of the Python program → `PyObject`; a
 * global that is only referred to → `PyGlobal`. Objects that are shared or cyclic in the file are
 * so in the result.
 *
 * Only an `http:` or `https:` URL object makes requests; a text is always a path. Without
 * `weights`, only the parts of a remote file that describe it are read. The server must serve
 * ranges.
 *
 * @typeParam T what the caller knows of the content; nothing checks it
 * @throws SdaError ERR_SDA_NOT_FOUND, ERR_SDA_FORMAT, ERR_SDA_CORRUPT, ERR_SDA_UNSAFE,
 *   ERR_SDA_VERSION, ERR_SDA_LIMIT or ERR_SDA_IO, with `details.path` and, if the error has a place
 *   in the file, `details.offset` in bytes; ERR_SDA_ARGUMENT: a wrong option. `signal.reason` when
 *   the signal is aborted.
 * @example
 * ```js
 * const checkpoint = await load("checkpoint.pt");
 * const weights = checkpoint.get("model_state_dict");
 * for (const [name, tensor] of weights) console.log(name, tensor.dtype, tensor.shape);
 * ```
 */
export async function load<T = unknown>(from: Source, options: LoadOptions = {}): Promise<T> {
  checkOptions("options", options, OPTIONS);
  const { verify = true, unknownGlobals = "reject", weights = true, signal } = options;
  const { encoding = "utf-8", limits = {}, http } = options;
  checkOneOf("unknownGlobals", unknownGlobals, ["reject", "inert"]);
  checkOneOf("encoding", encoding, ["utf-8", "latin1", "bytes"]);
  checkBoolean("verify", verify);
  checkBoolean("weights", weights);
  const { memoryBytes, contentBytes } = checkLimits(limits);
  const native: ReadOptions = {
    verify,
    unknownGlobals,
    weights,
    encoding,
    memoryBytes,
    anyContainer: true,
  };
  const content = await readSource<unknown>(from, {
    whole: weights,
    native: async (source, cancel) => {
      const addon = checkpointAddon();
      const mayBeAtOnce = typeof source === "string" && !(verify && weights);
      const read =
        (mayBeAtOnce ? atOnce(() => addon.readAtOnce(source, native)) : undefined) ??
        addon.read(source, native, cancel);
      return readInPieces(addon, await read, signal);
    },
    other: (file, container) => readOther(file, container, native, contentBytes, signal),
    distributed: (folder) => readDistributed(folder, native, signal),
    http,
    contentBytes,
    signal,
  }).catch((error) => {
    throw explained(error);
  });
  return content as T;
}

/** Says how to read a file that names classes of other programs. */
function explained(error: unknown): unknown {
  if (!isSdaError(error, "ERR_SDA_UNSAFE") || error.details?.["global"] === undefined) return error;
  const hint =
    'unknownGlobals: "inert" describes such objects without running anything, and stateDict() ' +
    "finds the weights in them";
  return new SdaError(error.code, `${error.message}. ${hint}`, error.details);
}
