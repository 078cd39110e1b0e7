/**
 * How much the long tests do. `npm test` repeats them a few times, `npm run test:full` (which CI
 * runs) many times. vitest.config.ts sets SDA_TEST_FULL for the latter. Each test makes the same
 * assertions in both.
 */
export const isFull = process.env["SDA_TEST_FULL"] === "1";

export function effort<T>(of: { quick: T; full: T }): T {
  return isFull ? of.full : of.quick;
}

/** `effort` of a number, which the environment variable overrides. */
export function count(of: { quick: number; full: number }, variable?: string): number {
  const given = variable === undefined ? undefined : process.env[variable];
  return given === undefined ? effort(of) : Number(given);
}
