/** Tells in the output why tests are skipped. scripts/summary-reporter.ts lists the reasons. */
export const SKIPPED = "Skipped: ";

/** @returns isThere, for `skipIf` */
export function needs(isThere: boolean, reason: string): boolean {
  if (!isThere) console.warn(`${SKIPPED}${reason}`);
  return isThere;
}
