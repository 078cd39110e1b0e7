/** Checks of arguments that come from the caller: every failure is ERR_SDA_ARGUMENT with `details.option`. */
import { randomInt } from "node:crypto";
import { fileURLToPath } from "node:url";
import leven from "leven";
import { brief, show } from "./brief.js";
import { SdaError } from "./errors.js";

/** No option has a longer name; the distance to a longer key would take too long. */
const LONGEST_NAME = 64;

export function badArgument(option: string, expected: string, value: unknown): SdaError {
  return new SdaError("ERR_SDA_ARGUMENT", `${option} must be ${expected}, got ${show(value)}`, {
    option,
    value: brief(value),
  });
}

/**
 * The names of all options of `T`. The compiler refuses a list that lacks an option, so an option
 * that is added to `T` can't be forgotten here.
 */
export function optionNames<T>(names: { readonly [K in keyof Required<T>]: true }): string[] {
  return Object.keys(names);
}

/**
 * Checks that `options` is an object without unknown keys: a misspelt option must not be ignored.
 * An absent object counts as an empty one. A `signal` must be an AbortSignal.
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
  checkSignal((options as { signal?: unknown }).signal);
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

export function checkBoolean(option: string, value: unknown): asserts value is boolean {
  if (typeof value !== "boolean") throw badArgument(option, "true or false", value);
}

/** A function to call with the progress of work, or nothing. */
export function checkCallback(option: string, value: unknown): void {
  if (value !== undefined && typeof value !== "function") {
    throw badArgument(option, "a function", value);
  }
}

export function checkSignal(signal: unknown): void {
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw badArgument("signal", "an AbortSignal", signal);
  }
}

/** The seed, or one drawn from the system when undefined. */
export function seedOrRandom(seed: unknown, limits: SeedLimits): number {
  if (seed === undefined) return randomInt(limits.drawnSeed.max + 1);
  return checkInteger("seed", seed, limits.seed.min, limits.seed.max);
}

/** Which seeds a caller may pass, and which are drawn. */
export interface SeedLimits {
  readonly seed: { readonly min: number; readonly max: number };
  readonly drawnSeed: { readonly max: number };
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
