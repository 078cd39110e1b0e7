import { checkOptions, toFilePath } from "../base/check.js";
import { callNative } from "../native/call.js";
import { checkpointAddon } from "../native/load.js";
import { encode } from "./encode.js";

/** How a file is written. */
export interface SaveOptions {
  /** Aborting rejects with the signal's reason and leaves what was there before */
  signal?: AbortSignal;
}

/**
 * Writes a file that Python's `torch.load` reads: the zip container and pickle protocol 2, as `torch.save` does. A plain
 * state dict can be read with `weights_only=True`. The file appears whole or not at all: it is written beside `path`,
 * synced, and then takes the place of what was there.
 *
 * `Map` and plain objects → dict, `OrderedDict` with its attributes, `Array` → list, `Tuple` → tuple, `Set` → set,
 * `null` → None, `Uint8Array` → bytes, `bigint` → int, `Complex`, `Tensor`, `NdArray`, `PyObject` of the Python
 * program's classes, `PyGlobal`. A `number` is an int when it is a safe integer (and not -0), a float otherwise.
 *
 * What `load` returned is written as it came: floats without fraction stay floats, numpy scalars numpy scalars, and
 * frozensets, bytearrays and parameters what they were, as long as the value is still the same in the same place. Lost
 * are: torch.Size (a tuple afterwards), deque (a list), defaultdict and Counter (dicts), and a number that is the
 * whole file. Tensors that share memory share it in the file; each is written row-major.
 *
 * The bytes of tensors and `Uint8Array`s are read while the file is written, not before: don't change or transfer them
 * until the promise has settled. Everything else may change as soon as the call has returned.
 *
 * @throws SdaError ERR_SDA_ARGUMENT for what can't be saved (`details.at` leads to it), ERR_SDA_UNSAFE (a class or
 *   function of neither Python, PyTorch, numpy nor the program), ERR_SDA_LIMIT, ERR_SDA_NOT_FOUND (no such folder),
 *   ERR_SDA_IO (with `details.errno`)
 */
export async function save(
  value: unknown,
  path: string | URL,
  options: SaveOptions = {},
): Promise<void> {
  const file = toFilePath(path);
  const { signal } = options;
  checkOptions("options", options, ["signal"]);
  const plan = encode(value);
  const addon = checkpointAddon();
  await callNative(addon, signal, (cancel) => addon.save(plan, { path: file }, undefined, cancel));
}
