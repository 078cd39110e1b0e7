/**
 * Work that takes less time than handing it to another thread and back: it runs on the caller's thread, once a turn of
 * the event loop. What is asked for in the same turn goes to the threads, and nobody who loads file after file keeps
 * the loop from turning.
 */
let taken = false;

/** What `f` returns; undefined, without calling it, when this turn has had its share. */
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
