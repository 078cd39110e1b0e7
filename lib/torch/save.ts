import { checkOptions, toFilePath } from "../base/check.js";
import { callNative } from "../native/call.js";
import { checkpointAddon } from "../native/load.js";
import { encode } from "./encode.js";
import { clearLeftovers, saveTarget } from "./save-target.js";

/** The options of `save`. */
export interface SaveOptions {
  /** Aborting rejects with the signal's reason and leaves an existing file unchanged */
  signal?: AbortSignal;
}

/**
 * Writes a file that Python's `torch.load` reads: the zip container and pickle protocol 2, as
 * `torch.save` does. Python can read a plain state dict with `weights_only=True`. The write is
 * atomic: the content goes into a temporary file in the same folder, which is synced and renamed to
 * `path`.
 *
 * `Map` and plain objects → dict, `OrderedDict` → OrderedDict with its attributes, `Array` → list,
 * `Tuple` → tuple, `Set` → set, `null` → None, `Uint8Array` → bytes, `bigint` → int; `Complex`,
 * `Tensor`, `NdArray`, `PyGlobal` and `PyObject` of the Python program's classes → what `load`
 * reads as them. A `number` becomes an int if it is a safe integer other than -0, and a float
 * otherwise.
 *
 * A value that comes from `load` keeps its Python type while it stays unchanged in its container:
 * floats without a fraction, numpy scalars, frozensets, bytearrays and parameters. These types are
 * lost: torch.Size becomes a tuple, deque a list, defaultdict and Counter a dict. The type of a
 * number is also lost if the number is the whole file. Tensors that share memory share it in the
 * file; each tensor is written row-major.
 *
 * The bytes of large tensors are read during the write: do not change them until the promise has
 * settled. If their buffer is transferred meanwhile, the promise rejects with ERR_SDA_ARGUMENT. All
 * other values may change as soon as the call has returned.
 *
 * @throws SdaError ERR_SDA_ARGUMENT: a value that cannot be saved (`details.at` is the path to it);
 *   ERR_SDA_UNSAFE: a class or function that is not of Python, PyTorch, numpy or the program;
 *   ERR_SDA_LIMIT; ERR_SDA_NOT_FOUND: the folder does not exist; ERR_SDA_IO (with `details.errno`).
 *   `signal.reason` when the signal is aborted.
 * @example
 * ```js
 * const bias = new Tensor("float32", [2], Float32Array.of(0.5, -0.5));
 * await save({ epochs: 20, weights: new Map([["bias", bias]]) }, "weights.pt");
 * // Python: torch.load("weights.pt")["weights"]["bias"]
 * ```
 */
export async function save(
  value: unknown,
  path: string | URL,
  options: SaveOptions = {},
): Promise<void> {
  const file = toFilePath(path);
  const { signal } = options;
  checkOptions("options", options, ["signal"]);
  signal?.throwIfAborted();
  const { path: target, folder } = saveTarget(file);
  const plan = encode(value);
  const addon = checkpointAddon();
  await callNative(addon, signal, (cancel) =>
    addon.save(plan, { path: target }, undefined, cancel),
  );
  await clearLeftovers(folder);
}
