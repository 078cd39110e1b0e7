/**
 * Marsaglia's xorshift32: the same numbers on every machine.
 *
 * @returns draws a number from 0 to `below` - 1
 */
export function xorshift(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
