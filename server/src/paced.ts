import { ClientLeft } from "./request-signal.js";

/**
 * The bytes as a client takes them. One that takes none of what is ready for as long as `stallTimeoutMs` is let go: it keeps a
 * place that others wait for.
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
