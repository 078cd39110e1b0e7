import type { ServerLimits } from "./options.js";
import { ClientLeft } from "./request-signal.js";
import type { Place } from "./work.js";

/**
 * Passes the bytes of a sound to a client. While a client reads nothing, its place serves other
 * requests. After `stallTimeoutMs` it is disconnected, because its sound occupies memory.
 */
export async function* paced(
  first: IteratorResult<Uint8Array>,
  bytes: AsyncIterator<Uint8Array>,
  place: Place,
  { lendAfterMs, stallTimeoutMs }: Pick<ServerLimits, "lendAfterMs" | "stallTimeoutMs">,
  controller: AbortController,
): AsyncGenerator<Uint8Array> {
  const { signal } = controller;
  const giveUp = () => controller.abort(new ClientLeft("the client reads too slowly"));
  try {
    for (let next = first; !next.done; next = await bytes.next()) {
      const lend = setTimeout(() => place.lend(giveUp), lendAfterMs);
      const stall = setTimeout(giveUp, stallTimeoutMs);
      try {
        yield next.value;
      } finally {
        clearTimeout(lend);
        clearTimeout(stall);
      }
      signal.throwIfAborted();
      await place.back(signal);
    }
  } finally {
    await bytes.return?.();
  }
}
