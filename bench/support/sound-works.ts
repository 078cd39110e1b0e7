/** The measured requests, each with its own seed, and their names in results. */
import type { LoadedModel } from "../../dist/index.js";

export const MANY = 16;
/** Number of batches of MANY one-second requests: about as much sound as the long request. */
export const BATCHES = 4;
export const LONG_S = 60;

/** @param longS duration of the long request in seconds; shorter in a quick run */
export function soundNames(longS = LONG_S) {
  const long = `${longS} s`;
  return {
    long,
    besideMany: `${long}, beside many`,
    many: `${BATCHES} × ${MANY} × 1 s`,
    streamed: `${long} streamed`,
    firstPiece: `${long} streamed: first piece`,
  };
}

export function together(model: LoadedModel, requests: number, durationS: number) {
  const one = (_: unknown, seed: number) => model.generate({ durationS, seed });
  return Promise.all(Array.from({ length: requests }, one));
}

/** Milliseconds until the first and until the last piece of a stream. */
export async function timeStream(
  model: LoadedModel,
  durationS: number,
): Promise<{ first: number; whole: number }> {
  const start = performance.now();
  let first = 0;
  for await (const _ of model.stream({ durationS, seed: 1 })) first ||= performance.now() - start;
  return { first, whole: performance.now() - start };
}
