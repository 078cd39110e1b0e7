import { checkInteger, checkOptions, optionNames } from "../base/check.js";
import { callNativeSync } from "./call.js";
import { engineAddon } from "./load-engine.js";

/** The settings of the engine, which all models of a process share. */
export interface EngineOptions {
  /**
   * Threads that generate sound, 1 to 64. Initially one per processor that this process may use:
   * its affinity mask and, on Linux, the CPU quota of its container (rounded up) count
   */
  threads?: number;
  /**
   * Running and waiting requests together, 1 to 100000. A request beyond this number rejects with
   * ERR_SDA_LIMIT. Initially 128
   */
  maxRequests?: number;
}

const OPTIONS = optionNames<EngineOptions>({ threads: true, maxRequests: true });
const MAX_THREADS = 64;
const MAX_REQUESTS = 100_000;

/**
 * Changes the settings of the engine. All models and worker threads of this process share the
 * engine. An omitted setting stays as it is. No setting changes the sound.
 *
 * The engine computes a request in chunks of one second. Requests take turns after each chunk, and
 * a thread without a chunk of its own helps to compute another thread's chunk.
 *
 * @returns the settings that now apply
 * @throws SdaError ERR_SDA_ARGUMENT: an unknown option or a value out of range; ERR_SDA_NATIVE:
 *   the engine cannot be loaded
 * @example
 * ```js
 * const { threads } = configureEngine(); // the present settings
 * const settings = configureEngine({ threads: Math.max(1, threads - 1), maxRequests: 32 });
 * console.log(settings.maxRequests); // 32
 * ```
 */
export function configureEngine(options: EngineOptions = {}): Required<EngineOptions> {
  checkOptions("options", options, OPTIONS);
  const { threads, maxRequests } = options;
  if (threads !== undefined) checkInteger("threads", threads, 1, MAX_THREADS);
  if (maxRequests !== undefined) checkInteger("maxRequests", maxRequests, 1, MAX_REQUESTS);
  return callNativeSync(() =>
    engineAddon().configureEngine({
      ...(threads !== undefined && { threads }),
      ...(maxRequests !== undefined && { maxRequests }),
    }),
  );
}
