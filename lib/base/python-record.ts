/** Reads and writes the objects in the Python program's JSON files, field by field. */
import { show } from "./brief.js";
import type { PyDict, PyValue } from "./python-json.js";
import { isMap } from "./realm.js";

/** How one type of value stands in a file. */
export interface Kind<T> {
  /** The type in messages: "a string" */
  readonly expected: string;
  /** @returns undefined: the value is of another type */
  read(value: PyValue): T | undefined;
  write(value: T): PyValue;
  /** What is wrong inside a value that is not read: "<field> is …" */
  problem?(value: PyValue): string | undefined;
}

/** One field of an object. */
export interface Field<T> {
  /** The field's name in the file */
  readonly name: string;
  readonly kind: Kind<T>;
  /** The value of an absent field; undefined: the field must be there */
  readonly fallback?: T | undefined;
}

/** The fields of an object, in the order in which a new object has them. */
export type Fields<T> = { readonly [K in keyof T]-?: Field<T[K]> };

export function field<T>(name: string, kind: Kind<T>, fallback?: T): Field<T> {
  return { name, kind, fallback };
}

export const TEXT: Kind<string> = {
  expected: "a string",
  read: (value) => (typeof value === "string" ? value : undefined),
  write: (value) => value,
};

export const BOOLEAN: Kind<boolean> = {
  expected: "true or false",
  read: (value) => (typeof value === "boolean" ? value : undefined),
  write: (value) => value,
};

/** A whole number that a double represents exactly. Python writes some as floats: 48000.0. */
export const INT: Kind<number> = {
  expected: "a whole number",
  read: (value) => {
    const number = typeof value === "bigint" ? Number(value) : value;
    return typeof number === "number" && Number.isSafeInteger(number) ? number : undefined;
  },
  write: (value) => BigInt(value),
};

export const FLOAT: Kind<number> = {
  expected: "a number",
  read: (value) => {
    const number = typeof value === "bigint" ? Number(value) : value;
    return typeof number === "number" ? number : undefined;
  },
  write: (value) => value,
};

/** Whole numbers are written as ints, others as floats, as Python has slider positions. */
export const NUMBERS: Kind<number[]> = {
  expected: "a list of numbers",
  read: (value) => list(value, FLOAT),
  write: (values) => values.map((value) => (Number.isSafeInteger(value) ? BigInt(value) : value)),
};

export const FLOATS: Kind<number[]> = {
  expected: "a list of numbers",
  read: (value) => list(value, FLOAT),
  write: (values) => [...values],
};

function list<T>(value: PyValue, kind: Kind<T>): T[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const items = value.map(kind.read);
  return items.includes(undefined) ? undefined : (items as T[]);
}

export function orNull<T>(kind: Kind<T>): Kind<T | null> {
  return {
    expected: `${kind.expected} or null`,
    read: (value) => (value === null ? null : kind.read(value)),
    write: (value) => (value === null ? null : kind.write(value)),
    ...(kind.problem && { problem: kind.problem }),
  };
}

/** One of a few texts. */
export function oneOf<T extends string>(choices: readonly T[]): Kind<T> {
  return {
    expected: `one of ${choices.join(", ")}`,
    read: (value) => ((choices as readonly unknown[]).includes(value) ? (value as T) : undefined),
    write: (value) => value,
  };
}

/** An object with fields of its own. Unknown fields are ignored. */
export function object<T extends object>(fields: Fields<T>, expected = "an object"): Kind<T> {
  return {
    expected,
    read: (value) => {
      const found = readRecord(fields, value);
      return typeof found === "string" ? undefined : found;
    },
    write: (value) => writeRecord(fields, value),
    problem: (value) => {
      const found = isMap(value) ? readRecord(fields, value as PyDict) : undefined;
      return typeof found === "string" ? found : undefined;
    },
  };
}

/** The fields of an object. @returns a string if the value is no such object: what is wrong */
export function readRecord<T extends object>(fields: Fields<T>, value: PyValue): T | string {
  if (!isMap(value)) return "not an object";
  const record: Partial<T> = {};
  for (const key in fields) {
    const { name, kind, fallback } = fields[key];
    const found = value.get(name);
    const read = found === undefined ? fallback : kind.read(found);
    if (read === undefined) {
      if (found === undefined) return `${name} is missing`;
      const inside = kind.problem?.(found);
      if (inside !== undefined) return `${name}.${inside}`;
      return `${name} is ${show(found)}, not ${kind.expected}`;
    }
    record[key] = read;
  }
  return record as T;
}

/** A new object with all fields; or a copy of an object with the given fields changed. */
export function writeRecord<T extends object>(
  fields: Fields<T>,
  values: Partial<T>,
  old?: PyDict,
): PyDict {
  const record: PyDict = new Map(old);
  for (const key in fields) {
    const { name, kind } = fields[key];
    const value = values[key];
    if (value !== undefined) record.set(name, kind.write(value as T[typeof key]));
  }
  return record;
}
