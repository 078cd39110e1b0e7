/** The requests that are measured, each seed its own, and what they are called in results. */
import type { LoadedModel } from "../../dist/index.js";

export const MANY = 16;
/** So many times one after the other, they are about as much sound as the long one: a disturbance weighs the same in both. */
export const BATCHES = 4;
export const LONG_S = 60;

/** @param longS seconds of the long request, fewer in a quick run */
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

/** Milliseconds to the first piece and to the last. */
export async function timeStream(
  model: LoadedModel,
  durationS: number,
): Promise<{ first: number; whole: number }> {
  const start = performance.now();
  let first = 0;
  for await (const _ of model.stream({ durationS, seed: 1 })) first ||= performance.now() - start;
  return { first, whole: performance.now() - start };
}
