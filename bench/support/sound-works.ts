/** The requests that are measured, each seed its own. */
import type { LoadedModel } from "../../dist/index.js";

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
