/** Checks of arguments that come from the caller: every failure is ERR_SDA_ARGUMENT with `details.option`. */
import { randomInt } from "node:crypto";
import { fileURLToPath } from "node:url";
import leven from "leven";
import { brief, show } from "./brief.js";
import { SdaError } from "./errors.js";

/** Seeds drawn here fit 32 bits, so that they are easy to read, type and say. */
const SEED_RANGE = 2 ** 32;

/** No option has a longer name; the distance to a longer key would take too long. */
const LONGEST_NAME = 64;

export function badArgument(option: string, expected: string, value: unknown): SdaError {
  return new SdaError("ERR_SDA_ARGUMENT", `${option} must be ${expected}, got ${show(value)}`, {
    option,
    value: brief(value),
  });
}

/**
 * Checks that `options` is an object without unknown keys: a misspelt option must not be ignored.
 * An absent object counts as an empty one.
 *
 * @param name of the argument, such as "options" or "spatial"
 * @param known the names of all options
 * @throws SdaError ERR_SDA_ARGUMENT: `details.option` is the unknown key, `details.nearest` the known
 *   name that is nearest to it, when one is near
 */
export function checkOptions(name: string, options: unknown, known: readonly string[]): void {
  if (options === undefined) return;
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw badArgument(name, "an object", options);
  }
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    const nearest = nearestOf(key, known);
    const hint =
      nearest === undefined ? `known are ${known.join(", ")}` : `did you mean ${nearest}?`;
    throw new SdaError("ERR_SDA_ARGUMENT", `unknown option ${show(key)} in ${name}; ${hint}`, {
      option: key,
      ...(nearest !== undefined && { nearest }),
    });
  }
}

/** The name that takes the fewest edits (Levenshtein 1966) to make of `key`; undefined when none is near. */
function nearestOf(key: string, known: readonly string[]): string | undefined {
  const plain = key.slice(0, LONGEST_NAME).replace(/[-_]/g, "").toLowerCase();
  const edits = (name: string) => leven(plain, name.toLowerCase());
  const [first] = [...known].sort((a, b) => edits(a) - edits(b));
  return first !== undefined && edits(first) <= Math.max(2, plain.length / 3) ? first : undefined;
}

export function checkInteger(option: string, value: unknown, min: number, max: number): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < min || value > max) {
    const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `${min} to ${max}`;
    throw badArgument(option, `a whole number, ${range}`, value);
  }
  return value + 0; // -0 becomes 0
}

export function checkNumber(option: string, value: unknown, min: number, max: number): number {
  if (typeof value !== "number" || !(value >= min && value <= max)) {
    throw badArgument(option, `a number from ${min} to ${max}`, value);
  }
  return value;
}

export function checkOneOf<T extends string | number>(
  option: string,
  value: unknown,
  choices: readonly T[],
): T {
  if (!(choices as readonly unknown[]).includes(value)) {
    throw badArgument(option, `one of ${choices.map(show).join(", ")}`, value);
  }
  return value as T;
}

export function checkSignal(signal: unknown): void {
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw badArgument("signal", "an AbortSignal", signal);
  }
}

/** A seed as `torch.manual_seed` and numpy take it: 0 to 2^53 - 1; drawn from the system when undefined. */
export function seedOrRandom(seed: unknown): number {
  if (seed === undefined) return randomInt(SEED_RANGE);
  return checkInteger("seed", seed, 0, Number.MAX_SAFE_INTEGER);
}

/** The path of a file given as a string or as a `file:` URL. */
export function toFilePath(path: string | URL): string {
  if (path instanceof URL) {
    if (path.protocol !== "file:") throw badArgument("path", "a file: URL", path.href);
    try {
      return fileURLToPath(path);
    } catch (cause) {
      throw badArgument("path", `a file: URL of this machine (${(cause as Error).message})`, path);
    }
  }
  if (typeof path !== "string" || path === "" || path.includes("\0")) {
    throw badArgument("path", "a path (string) or a file: URL", path);
  }
  return path;
}
