/** Checks of arguments that come from the caller: every failure is ERR_SDA_ARGUMENT with `details.option`. */
import { randomInt } from "node:crypto";
import { fileURLToPath } from "node:url";
import { SdaError } from "./errors.js";

/** Seeds drawn here fit 32 bits, so that they are easy to read, type and say. */
const SEED_RANGE = 2 ** 32;

export function badArgument(option: string, expected: string, value: unknown): SdaError {
  return new SdaError("ERR_SDA_ARGUMENT", `${option} must be ${expected}, got ${show(value)}`, {
    option,
    value,
  });
}

export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number" || typeof value === "boolean" || value == null)
    return String(value);
  if (typeof value === "bigint") return `${value}n`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object") {
    const name = value.constructor?.name ?? "object";
    return `${/^[AEIOU]/.test(name) ? "an" : "a"} ${name}`;
  }
  return `a ${typeof value}`;
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
