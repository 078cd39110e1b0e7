/** Counts the turns of the event loop while `f` runs: few if something blocks the loop. */
export async function turnsDuring(f: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let running = true;
  const count = () => {
    turns++;
    if (running) setImmediate(count);
  };
  setImmediate(count);
  try {
    await f();
  } finally {
    running = false;
  }
  return turns;
}
