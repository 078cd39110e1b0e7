import { checkOptions, optionNames } from "../base/check.js";
import { checkpointAddon } from "../native/load.js";
import type { GlobalKind, InspectResult, NativeInspectResult } from "../native/types.js";
import type { HttpOptions } from "./containers/http.js";
import { inspectDistributed, inspectOther } from "./containers/others.js";
import { checkLimits, type Limits, readSource } from "./containers/read.js";
import type { Source } from "./containers/source.js";
import { reasonFor } from "./scan-rules.js";

export type { GlobalKind, InspectResult };

/** The options of `inspect`. */
export interface InspectOptions {
  /** What the file may take; see `Limits` */
  limits?: Partial<Limits>;
  /** How an `http(s):` URL is read */
  http?: HttpOptions;
  /** Aborting rejects with the signal's reason */
  signal?: AbortSignal;
}

const OPTIONS = optionNames<InspectOptions>({ limits: true, http: true, signal: true });

/**
 * Lists the globals and the tensors of whatever `load` reads. Reads only the pickle: executes
 * nothing and reads no weights. The result has every global as `module.name`, dangerous ones
 * included, and for every tensor its name (the keys that lead to it, joined by dots), dtype, shape
 * and size in bytes.
 *
 * @throws SdaError like `load`, but not ERR_SDA_UNSAFE for the name of a global. A pickle that uses
 *   globals in a way that `load` always refuses, such as calling the result of a call, is still
 *   ERR_SDA_UNSAFE. `signal.reason` when the signal is aborted.
 * @example
 * ```js
 * const { container, globals, refused, tensors } = await inspect("model.pt");
 * console.log(container, globals);
 * for (const { global, reason } of refused) console.log(`${global} ${reason}`);
 * for (const { name, dtype, shape } of tensors) console.log(name, dtype, shape);
 * ```
 */
export async function inspect(from: Source, options: InspectOptions = {}): Promise<InspectResult> {
  checkOptions("options", options, OPTIONS);
  const { limits = {}, http, signal } = options;
  const { memoryBytes, contentBytes } = checkLimits(limits);
  const found = await readSource<NativeInspectResult>(from, {
    whole: false,
    native: (source, cancel) =>
      checkpointAddon().inspect(source, { memoryBytes, anyContainer: true }, cancel),
    other: (file, container) => inspectOther(file, container, contentBytes, signal),
    distributed: (folder) => inspectDistributed(folder, memoryBytes, signal),
    http,
    contentBytes,
    signal,
  });
  const refused = found.globals
    .filter((_, i) => found.globalKinds[i] === "unknown")
    .map((global) => ({ global, reason: reasonFor(global, false).does }));
  return { ...found, refused };
}
