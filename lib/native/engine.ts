import { checkInteger, checkOptions, optionNames } from "../base/check.js";
import { callNativeSync } from "./call.js";
import { engineAddon } from "./load.js";

/** The settings of the engine that all models of a process share. */
export interface EngineOptions {
  /** Threads that make sound, 1 to 64; at first one a processor */
  threads?: number;
  /** Requests that are under way or wait for their turn, 1 to 100000; one more is ERR_SDA_LIMIT. At first 128 */
  maxRequests?: number;
}

const OPTIONS = optionNames<EngineOptions>({ threads: true, maxRequests: true });
const MAX_THREADS = 64;
const MAX_REQUESTS = 100_000;

/**
 * Sets up the engine of this process, which all models and worker threads share; what is omitted stays as it is. Requests take
 * turns, one chunk of a second at a time; a thread that nobody has a chunk for helps another. Neither setting changes any sound.
 *
 * @returns the settings in force
 * @throws SdaError ERR_SDA_ARGUMENT; ERR_SDA_LIBTORCH or ERR_SDA_NATIVE where there is no engine
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
