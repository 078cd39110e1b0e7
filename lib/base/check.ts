/** Checks the caller's arguments. Every failure is ERR_SDA_ARGUMENT with `details.option`. */

import { randomInt } from "node:crypto";
import { fileURLToPath } from "node:url";
import leven from "leven";
import { brief, show } from "./brief.js";
import { SdaError } from "./errors.js";
import { isAbortSignal, isUrl } from "./realm.js";

/** Only this many characters of an unknown key are compared, since `leven` takes quadratic time. */
const LONGEST_NAME = 64;

/** Makes the error for an argument with a wrong value: "<option> must be <expected>, got …". */
export function badArgument(option: string, expected: string, value: unknown): SdaError {
  return new SdaError("ERR_SDA_ARGUMENT", `${option} must be ${expected}, got ${show(value)}`, {
    option,
    value: brief(value),
  });
}

/**
 * Lists the names of all options of `T`. The code does not compile when an option is missing from
 * the list.
 */
export function optionNames<T>(names: { readonly [K in keyof Required<T>]: true }): string[] {
  return Object.keys(names);
}

/**
 * Checks that `options` is an object without unknown keys, so that a misspelt option is an error.
 * `undefined` counts as an empty object. If `options` has a `signal`, it must be an AbortSignal.
 *
 * @param name the argument's name in error messages, such as "options" or "spatial"
 * @param known the names of all options
 * @throws SdaError ERR_SDA_ARGUMENT: `details.option` is the unknown key; `details.nearest` is the
 *   most similar known name, if one is similar enough
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
      nearest === undefined ? `known options: ${known.join(", ")}` : `did you mean ${nearest}?`;
    throw new SdaError("ERR_SDA_ARGUMENT", `unknown option ${show(key)} in ${name}; ${hint}`, {
      option: key,
      ...(nearest !== undefined && { nearest }),
    });
  }
  checkSignal((options as { signal?: unknown }).signal);
}

/**
 * Finds the known name with the smallest edit distance to `key` (Levenshtein 1966), ignoring case
 * and any `-` and `_` in `key`. Undefined when even that name needs too many edits.
 */
function nearestOf(key: string, known: readonly string[]): string | undefined {
  const plain = key.slice(0, LONGEST_NAME).replace(/[-_]/g, "").toLowerCase();
  const edits = (name: string) => leven(plain, name.toLowerCase());
  const [first] = [...known].sort((a, b) => edits(a) - edits(b));
  return first !== undefined && edits(first) <= Math.max(2, plain.length / 3) ? first : undefined;
}

/** @returns `value`, a whole number from `min` to `max`, both included */
export function checkInteger(option: string, value: unknown, min: number, max: number): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < min || value > max) {
    const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `${min} to ${max}`;
    throw badArgument(option, `a whole number, ${range}`, value);
  }
  return value + 0; // -0 becomes 0
}

/** @returns `value`, a number from `min` to `max`, both included; NaN is refused */
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

/**
 * Checks a text that goes into a file. Half of a surrogate pair is refused: UTF-8 can't represent
 * it, so Python can't print it.
 *
 * @param longest length in UTF-16 code units
 */
export function checkText(option: string, value: unknown, longest: number): string {
  if (typeof value !== "string") throw badArgument(option, "a string", value);
  if (value.length > longest) {
    throw badArgument(option, `at most ${longest} characters long`, value.length);
  }
  if (LONE_SURROGATE.test(value)) throw badArgument(option, "well-formed Unicode", value);
  return value;
}

const LONE_SURROGATE = /\p{Surrogate}/u;

/** As `checkText`, but the text must not be blank. */
export function checkFilledText(option: string, value: unknown, longest: number): string {
  const filled = checkText(option, value, longest);
  if (filled.trim() === "") throw badArgument(option, "not blank", value);
  return filled;
}

export function checkBoolean(option: string, value: unknown): asserts value is boolean {
  if (typeof value !== "boolean") throw badArgument(option, "true or false", value);
}

/** Checks an optional callback: a function or undefined. */
export function checkCallback(option: string, value: unknown): void {
  if (value !== undefined && typeof value !== "function") {
    throw badArgument(option, "a function", value);
  }
}

export function checkSignal(signal: unknown): void {
  if (signal !== undefined && !isAbortSignal(signal)) {
    throw badArgument("signal", "an AbortSignal", signal);
  }
}

/** Checks a seed. When it is undefined, draws a seed from the system's random numbers. */
export function seedOrRandom(seed: unknown, limits: SeedLimits): number {
  if (seed === undefined) return randomInt(limits.drawnSeed.max + 1);
  return checkInteger("seed", seed, limits.seed.min, limits.seed.max);
}

/** The range of seeds that a caller may pass, and the range of drawn seeds. */
export interface SeedLimits {
  readonly seed: { readonly min: number; readonly max: number };
  readonly drawnSeed: { readonly max: number };
}

/** @returns the path of a file that is given as a string or as a `file:` URL */
export function toFilePath(path: string | URL): string {
  if (isUrl(path)) {
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
