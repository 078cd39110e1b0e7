import { checkOptions, toFilePath } from "../base/check.js";
import { callNative } from "../native/call.js";
import { checkpointAddon } from "../native/load.js";
import { encode, type NotKept } from "./encode.js";
import { clearLeftovers, saveTarget } from "./save-target.js";

/** The options of `save`. */
export interface SaveOptions {
  /** Aborting rejects with the signal's reason and leaves an existing file unchanged */
  signal?: AbortSignal;
}

/** What `save` has written. */
export interface SaveReport {
  /** The size of the file */
  bytes: number;
  /** What the value had when `load` read it, and the file does not have; see `save` */
  notKept: NotKept[];
}

/**
 * Writes a file that Python's `torch.load` reads: the zip container and pickle protocol 2, as
 * `torch.save` does. Python can read a plain state dict with `weights_only=True`. The write is
 * atomic: the content goes into a temporary file in the same folder, which is synced and renamed to
 * `path`.
 *
 * `Map` and plain objects → dict, `OrderedDict` → OrderedDict with its attributes, `Array` → list,
 * `Tuple` → tuple, `Set` → set, `null` → None, `Uint8Array` → bytes, `bigint` → int; `Complex`,
 * `Counter`, `DefaultDict`, `Deque`, `Tensor` with its attributes, `NdArray`, `SparseTensor` and
 * its kin, `PyGlobal` and `PyObject` of the Python program's classes → what `load` reads as them. A
 * `number` becomes an int if it is a safe integer other than -0, and a float otherwise. Keys of a
 * dict or members of a set that are one key in Python, such as 1 and `true`, are an error.
 *
 * A value that comes from `load` keeps its Python type while it stays unchanged in its container:
 * floats without a fraction, numpy scalars, frozensets, bytearrays, torch.Size, TorchVersion and
 * parameters. Tensors that share memory share it in the file. So do transposed, sliced and expanded
 * tensors that `load` has read, while their elements are those of the storage that they viewed.
 *
 * The file does not keep the device of a tensor that was not on the CPU, the hooks of a tensor, the
 * byte order of numpy arrays and dtypes, and that a tensor was a conjugate or negative view; the
 * promise's `notKept` lists these. It cannot list what the value does not show: that a number which
 * is the whole file was a float or a numpy scalar, or that a text which is the whole file was a
 * TorchVersion.
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
): Promise<SaveReport> {
  const file = toFilePath(path);
  const { signal } = options;
  checkOptions("options", options, ["signal"]);
  signal?.throwIfAborted();
  const { path: target, folder } = saveTarget(file);
  const { notKept, views, ...plan } = encode(value);
  const addon = checkpointAddon();
  const { bytes, unshared } = await callNative(addon, signal, (cancel) =>
    addon.save(plan, { path: target }, undefined, cancel),
  );
  await clearLeftovers(folder);
  const changed = unshared.map((i) => ({ at: views[i] as string, what: "sharing" }) as const);
  return { bytes, notKept: [...notKept, ...changed] };
}
