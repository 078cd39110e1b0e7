/**
 * Runs short work on the calling thread, because handing it to another thread and back would take
 * longer. Only one such call runs in each turn of the event loop; the caller hands any other to a
 * worker thread. So a program that loads many files does not block the event loop.
 */

/** Whether a call has run in this turn of the event loop. */
let taken = false;

/**
 * Calls `f` if no other call has run in this turn of the event loop.
 *
 * @param f undefined: it cannot do the work at once, and the turn stays free for another call
 * @returns a promise of the result, fulfilled in the event loop's next check phase; undefined: the
 *   caller does the work on a worker thread
 * @throws what `f` throws, at once
 */
export function atOnce<T>(f: () => T | undefined): Promise<T> | undefined {
  if (taken) return undefined;
  const result = f();
  if (result === undefined) return undefined;
  taken = true;
  return new Promise((resolve) => {
    setImmediate(() => {
      taken = false;
      resolve(result);
    });
  });
}
