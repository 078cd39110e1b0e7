/** A random id. crypto.randomUUID is missing on pages that are neither on localhost nor https. */
export function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) =>
    word.toString(16).padStart(8, "0"),
  ).join("");
}

/** A random seed within LIMITS.drawnSeed, which is the range of a Uint32Array. */
export function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] as number;
}
