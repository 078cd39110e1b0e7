import { checkBoolean, checkOneOf, checkOptions, optionNames, toFilePath } from "../base/check.js";
import { atOnce } from "../native/at-once.js";
import { callNative } from "../native/call.js";
import { checkpointAddon } from "../native/load.js";

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
  /** false: read no weights; tensors have their dtype and shape, and empty `data`. Default: true */
  weights?: boolean;
  /** Aborting rejects with the signal's reason */
  signal?: AbortSignal;
}

const OPTIONS = optionNames<LoadOptions>({
  verify: true,
  unknownGlobals: true,
  weights: true,
  signal: true,
});

/**
 * Reads a file written by `torch.save`: zip or legacy container, pickle protocols 2 to 5.
 *
 * dict → `Map`, OrderedDict → `OrderedDict` (a `Map`), list → `Array`, tuple and torch.Size →
 * `Tuple` (an `Array`), set → `Set`, int → `number` or, beyond 2^53 - 1, `bigint`, float →
 * `number`, None → `null`, bytes → `Uint8Array`, complex → `Complex`; tensors and storages →
 * `Tensor`, numpy arrays → `NdArray` (a `Tensor`), numpy scalars → `number`, `bigint`, `boolean` or
 * `Complex`; an object of a class of the Python program → `PyObject`; a global that is only
 * referred to → `PyGlobal`. Objects that are shared or cyclic in the file are so in the result.
 *
 * @throws SdaError ERR_SDA_NOT_FOUND, ERR_SDA_FORMAT, ERR_SDA_CORRUPT, ERR_SDA_UNSAFE,
 *   ERR_SDA_VERSION, ERR_SDA_LIMIT or ERR_SDA_IO, with `details.path` and, if the error has a place
 *   in the file, `details.offset` in bytes; ERR_SDA_ARGUMENT: a wrong option. `signal.reason` when
 *   the signal is aborted.
 * @example
 * ```js
 * const checkpoint = await load("checkpoint.pt");
 * const stateDict = checkpoint.get("model_state_dict");
 * for (const [name, tensor] of stateDict) console.log(name, tensor.dtype, tensor.shape);
 * ```
 */
export async function load(path: string | URL, options: LoadOptions = {}): Promise<unknown> {
  const file = toFilePath(path);
  checkOptions("options", options, OPTIONS);
  const { verify = true, unknownGlobals = "reject", weights = true, signal } = options;
  checkOneOf("unknownGlobals", unknownGlobals, ["reject", "inert"]);
  checkBoolean("verify", verify);
  checkBoolean("weights", weights);
  const addon = checkpointAddon();
  const native = { verify, unknownGlobals, weights };
  return callNative(
    addon,
    signal,
    (cancel) =>
      (native.verify && native.weights
        ? undefined
        : atOnce(() => addon.readAtOnce(file, native))) ?? addon.read(file, native, cancel),
  );
}
