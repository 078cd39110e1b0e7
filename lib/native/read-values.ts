/** Makes the values of what the addons have read. */
import { constants } from "node:buffer";
import { SdaError } from "../base/errors.js";
import { type ProgramParts, ProgramReader } from "../values/program.js";
import { callNativeSync, callNativeUnder } from "./call.js";
import type {
  CancelToken,
  CheckpointAddon,
  ImageHandle,
  ProgramAddon,
  ReadOptions,
  ValueProgram,
} from "./types.js";

/** The event loop waits no longer than about this for a piece of the values. */
const PIECE_MS = 8;
/** Values between two looks at the clock; a value takes about a microsecond at most. */
const VALUES_PER_LOOK = 256;

/** What the addons need to make values on their own. */
export function valueFactories(addon: ProgramAddon) {
  return {
    /** The bytes of the largest possible ArrayBuffer */
    maxBufferBytes: constants.MAX_LENGTH,
    readProgram: (program: ValueProgram) => readNow(addon, program),
  };
}

/** Makes the values of a program at once. For small programs. */
export function readNow(addon: ProgramAddon, program: ValueProgram): unknown {
  const reader = readerOf(addon, program);
  return callNativeSync(() => {
    run(reader, program);
    return reader.result;
  });
}

/**
 * Makes the values of a program, and lets the event loop go on between pieces.
 *
 * @throws SdaError ERR_SDA_LIMIT: more than a string, array or `Map` can hold; `signal.reason` when
 *   the signal is aborted
 */
export async function readInPieces(
  addon: ProgramAddon,
  program: ValueProgram,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const reader = readerOf(addon, program);
  return callNativeUnder(signal, async () => {
    for (;;) {
      const end = performance.now() + PIECE_MS;
      do {
        if (run(reader, program, VALUES_PER_LOOK)) return reader.result;
      } while (performance.now() < end);
      await new Promise((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
    }
  });
}

/** Reads a torch.save file; see `CheckpointAddon.read`. */
export async function readValues(
  addon: CheckpointAddon,
  source: string | ImageHandle,
  options: ReadOptions,
  cancel: CancelToken | undefined,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  return readInPieces(addon, await addon.read(source, options, cancel), signal);
}

function readerOf(addon: ProgramAddon, { code, handle }: ValueProgram): ProgramReader {
  const parts: ProgramParts = {
    text: (index) => addon.programText(handle, index),
    buffer: (index) => addon.programBuffer(handle, index),
  };
  return new ProgramReader(code, parts);
}

function run(reader: ProgramReader, { path }: ValueProgram, values?: number): boolean {
  try {
    return reader.run(values);
  } catch (error) {
    // A string, array or Map that is too large for V8.
    if (!(error instanceof RangeError)) throw error;
    throw new SdaError("ERR_SDA_LIMIT", error.message, { path });
  }
}
