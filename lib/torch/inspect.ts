import { checkOptions, toFilePath } from "../base/check.js";
import { callNative } from "../native/call.js";
import { checkpointAddon } from "../native/load.js";
import type { GlobalKind, InspectResult } from "../native/types.js";

export type { GlobalKind, InspectResult };

/**
 * Lists what a `torch.save` file refers to and holds, reading only its pickle: every global by
 * `module.name`, dangerous ones included, and every tensor (name: the keys on the way to it, joined
 * by dots; bytes: of its elements). Nothing is executed, and no weights are read.
 *
 * @throws SdaError as `load` does, but never ERR_SDA_UNSAFE for a global's name. What a pickle does with
 *   globals that no reader may, such as calling the result of a call, is still ERR_SDA_UNSAFE.
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
