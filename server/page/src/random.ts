/** Not crypto.randomUUID: a page that is not on localhost and not on https has none. */
export function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) =>
    word.toString(16).padStart(8, "0"),
  ).join("");
}

/** Of 32 bits, as the library draws them: easy to read, type and say. */
export function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] as number;
}
