/**
 * Listens to abort signals with one listener for each signal, however many calls use it at the same
 * time: from 11 listeners on, Node 20 warns of a leak.
 */
const listening = new WeakMap<AbortSignal, { calls: Set<() => void>; listener: () => void }>();

/**
 * Calls `call` when the signal is aborted, unless the returned function was called before. A signal
 * that is aborted already calls nothing.
 *
 * @returns a function that lets go of the signal; idempotent
 */
export function onAbort(signal: AbortSignal | undefined, call: () => void): () => void {
  if (signal === undefined || signal.aborted) return () => {};
  const { calls, listener } = listening.get(signal) ?? listen(signal);
  const own = () => call(); // two uses of one function are two calls
  calls.add(own);
  return () => {
    if (!calls.delete(own) || calls.size > 0) return;
    signal.removeEventListener("abort", listener);
    listening.delete(signal);
  };
}

function listen(signal: AbortSignal) {
  const calls = new Set<() => void>();
  const listener = () => {
    listening.delete(signal);
    const all = [...calls];
    calls.clear();
    for (const call of all) call();
  };
  const made = { calls, listener };
  listening.set(signal, made);
  signal.addEventListener("abort", listener, { once: true });
  return made;
}

/** Waits; returns early when the signal is aborted. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, ms);
    const release = onAbort(signal, end);
    function end() {
      clearTimeout(timer);
      release();
      resolve();
    }
  });
}
