/** How often the event loop turns while `f` runs: few times when something blocks it. */
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
