import { ClientLeft } from "./request-signal.js";

/**
 * Passes the bytes of a sound to a client. A client that reads nothing for `stallTimeoutMs` is
 * disconnected, because it occupies a place that other requests wait for.
 */
export async function* paced(
  first: IteratorResult<Uint8Array>,
  bytes: AsyncIterator<Uint8Array>,
  stallTimeoutMs: number,
  controller: AbortController,
): AsyncGenerator<Uint8Array> {
  const { signal } = controller;
  try {
    for (let next = first; !next.done; next = await bytes.next()) {
      const stall = () => controller.abort(new ClientLeft("the client reads too slowly"));
      const timer = setTimeout(stall, stallTimeoutMs);
      try {
        yield next.value;
      } finally {
        clearTimeout(timer);
      }
      signal.throwIfAborted();
    }
  } finally {
    await bytes.return?.();
  }
}
