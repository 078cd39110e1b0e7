import { checkBoolean, checkOneOf, checkOptions, optionNames, toFilePath } from "../base/check.js";
import { atOnce } from "../native/at-once.js";
import { callNative } from "../native/call.js";
import { checkpointAddon } from "../native/load.js";

/** How a file is read. */
export interface LoadOptions {
  /**
   * true (default): weights are read into memory of their own and each record's CRC-32 is checked,
   * so nothing that happens to the file later touches the result. false: the file is mapped and
   * tensors point into the mapping; nothing is copied and processes share the pages, but if another
   * program truncates the file while it is mapped, touching a lost page ends the process (SIGBUS).
   * Writing to a tensor's data never reaches the file in either case.
   */
  verify?: boolean;
  /**
   * What to do with a global that is neither known nor a class of the Python program: refuse the
   * file (default), or describe it as a `PyObject` that does nothing.
   */
  unknownGlobals?: "reject" | "inert";
  /** false: read no weights at all; tensors come with their dtype and shape and empty data. */
  weights?: boolean;
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
 * `Tuple` (an `Array`), set → `Set`, int → `number` or, beyond 2^53 - 1, `bigint`, float → `number`,
 * None → `null`, bytes → `Uint8Array`, complex → `Complex`; tensors and storages → `Tensor`, numpy
 * arrays → `NdArray` (a `Tensor`), numpy scalars → `number`, `bigint`, `boolean` or `Complex`; an
 * object of a class of the Python program → `PyObject`; a global that is only referred to →
 * `PyGlobal`. What is shared or cyclic in the file is shared or cyclic in the result.
 *
 * @throws SdaError ERR_SDA_NOT_FOUND, ERR_SDA_FORMAT, ERR_SDA_CORRUPT, ERR_SDA_UNSAFE,
 * ERR_SDA_VERSION, ERR_SDA_LIMIT or ERR_SDA_IO, with `details.path` and, where there is one, the
 * byte `details.offset` in the file; ERR_SDA_ARGUMENT for a bad option. An aborted call rejects with
 * the signal's reason.
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
