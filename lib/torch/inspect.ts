import { checkOptions, toFilePath } from "../base/check.js";
import { callNative } from "../native/call.js";
import { checkpointAddon } from "../native/load.js";
import type { GlobalKind, InspectResult } from "../native/types.js";

export type { GlobalKind, InspectResult };

/**
 * Lists the globals and the tensors of a `torch.save` file. Reads only the pickle: executes nothing
 * and reads no weights. The result has every global as `module.name`, dangerous ones included, and
 * for every tensor its name (the keys that lead to it, joined by dots), dtype, shape and size in
 * bytes.
 *
 * @throws SdaError like `load`, but not ERR_SDA_UNSAFE for the name of a global. A pickle that uses
 *   globals in a way that `load` always refuses, such as calling the result of a call, is still
 *   ERR_SDA_UNSAFE. `signal.reason` when the signal is aborted.
 * @example
 * ```js
 * const { container, globals, tensors } = await inspect("model.pt");
 * console.log(container, globals);
 * for (const { name, dtype, shape } of tensors) console.log(name, dtype, shape);
 * ```
 */
export async function inspect(
  path: string | URL,
  options: { signal?: AbortSignal } = {},
): Promise<InspectResult> {
  const file = toFilePath(path);
  checkOptions("options", options, ["signal"]);
  const addon = checkpointAddon();
  return callNative(addon, options.signal, (cancel) => addon.inspect(file, cancel));
}
