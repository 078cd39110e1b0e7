import { show } from "../base/brief.js";
import { SdaError } from "../base/errors.js";
import { isMap } from "../base/realm.js";

/**
 * Reads typed values from one dict of a file. For a missing key, a method returns the fallback, or
 * throws if there is none. For a value of the wrong type it throws. The error is ERR_SDA_SCHEMA
 * with `details.field`, such as "metadata.training_epochs".
 *
 * Python's int and float are both a `number` here. So `float` accepts any number, and `integer`
 * any whole number.
 */
export class Fields {
  readonly #dict: Map<unknown, unknown>;
  readonly #file: string;
  readonly #name: string;

  /**
   * @param file the path in error messages
   * @param name the dict's field name in error messages; "" for the top-level dict
   */
  constructor(value: unknown, file: string, name: string) {
    if (!isMap(value)) throw schemaError(file, name, "a dict", value);
    this.#dict = value;
    this.#file = file;
    this.#name = name;
  }

  has(key: string): boolean {
    return this.#dict.has(key);
  }

  keys(): unknown[] {
    return [...this.#dict.keys()];
  }

  get(key: string): unknown {
    return this.#dict.get(key);
  }

  dict(key: string): Fields {
    return new Fields(this.#dict.get(key), this.#file, this.#path(key));
  }

  /** Makes the error for the value under `key`, which is missing or not as `expected`. */
  error(key: string, expected: string): SdaError {
    return this.#dict.has(key)
      ? schemaError(this.#file, this.#path(key), expected, this.#dict.get(key))
      : new SdaError(
          "ERR_SDA_SCHEMA",
          `${this.#path(key)} is missing from ${this.#file}; it should be ${expected}`,
          { path: this.#file, field: this.#path(key) },
        );
  }

  string(key: string, fallback?: string): string {
    return this.#read(key, fallback, "a str", (value) =>
      typeof value === "string" ? value : undefined,
    );
  }

  boolean(key: string, fallback?: boolean): boolean {
    return this.#read(key, fallback, "a bool", (value) =>
      typeof value === "boolean" ? value : undefined,
    );
  }

  integer(key: string, fallback?: number, min = -Number.MAX_SAFE_INTEGER, max = -min): number {
    const bounds = min === -max ? "" : ` from ${min} to ${max}`;
    return this.#read(key, fallback, `an int${bounds}`, (value) => {
      const number = toNumber(value);
      return Number.isSafeInteger(number) && number >= min && number <= max ? number : undefined;
    });
  }

  float(key: string, fallback?: number): number {
    return this.#read(key, fallback, "a float", (value) => {
      const number = toNumber(value);
      return Number.isNaN(number) && typeof value !== "number" ? undefined : number;
    });
  }

  strings(key: string, fallback?: string[]): string[] {
    return this.#read(key, fallback, "a list of str", (value) =>
      Array.isArray(value) && value.every((item) => typeof item === "string")
        ? Array.from(value)
        : undefined,
    );
  }

  #read<T>(
    key: string,
    fallback: T | undefined,
    expected: string,
    convert: (value: unknown) => T | undefined,
  ): T {
    if (!this.#dict.has(key) && fallback !== undefined) return fallback;
    const value = convert(this.#dict.get(key));
    if (value === undefined) throw this.error(key, expected);
    return value;
  }

  #path(key: string): string {
    return this.#name === "" ? key : `${this.#name}.${key}`;
  }
}

/** Converts a file's int or float, a `bigint` included. NaN for any other value, even a bool. */
export function toNumber(value: unknown): number {
  if (typeof value === "number") return value;
  return typeof value === "bigint" ? Number(value) : Number.NaN;
}

/** Makes the error for a field with a wrong value. */
export function schemaError(
  path: string,
  field: string,
  expected: string,
  found: unknown,
): SdaError {
  return new SdaError(
    "ERR_SDA_SCHEMA",
    `${field === "" ? "the content" : field} of ${path} should be ${expected}, but is ${show(found)}`,
    { path, field },
  );
}
