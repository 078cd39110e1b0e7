/** Sounds of known kinds, without an engine. */
type Kind = "silence" | "tone" | "noise" | "pluck" | "square" | "too loud";

/** The same numbers each time (Numerical Recipes' linear congruential generator). */
function noise(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

export function madeSound(kind: Kind, frames: number, channels = 1): Float32Array[] {
  const random = noise();
  const value = (i: number, c: number) => {
    switch (kind) {
      case "silence":
        return 0;
      case "tone":
        return 0.5 * Math.sin(i / 20 + c / 10);
      case "noise":
        return random();
      case "pluck":
        return Math.exp(-(i % 9000) / 2000) * Math.sin(i / (10 + c)) + 0.001 * random();
      case "square":
        return i % 2 === c % 2 ? 1 : -1;
      case "too loud":
        return 3 * Math.sin(i / 7);
    }
  };
  return Array.from({ length: channels }, (_, c) =>
    Float32Array.from({ length: frames }, (_, i) => value(i, c)),
  );
}

export const KINDS: Kind[] = ["silence", "tone", "noise", "pluck", "square", "too loud"];
