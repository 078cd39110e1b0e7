/**
 * Finds keys of a dict, or members of a set, that JavaScript tells apart and Python does not: 1 and
 * true, 0.5 and the same numpy scalar, two tuples with equal items. Python would keep only one of
 * them, without an error.
 *
 * Each key gets a number, and keys that are equal in Python get the same one. The time is linear in
 * the size of the keys, whatever they are: the tables hash only texts, with V8's secret seed, and a
 * tuple takes its number from its items' numbers, once.
 */

import { show } from "../base/brief.js";
import { isMap, isSet, isUint8Array } from "../base/realm.js";
import { NumpyArray, NumpyScalar } from "../values/described.js";
import { MARK, marksOf } from "../values/provenance.js";
import { Complex, NdArray, PyGlobal, PyObject, Tuple } from "../values/values.js";

/** A tuple or frozenset with the numbers of its first items. */
interface Open {
  holder: object;
  items: unknown[];
  numbers: number[];
}

/** Says why keys can't be those of one dict or set in Python. */
class KeyProblem extends Error {}

export class PythonKeys {
  readonly #texts = new Map<string, number>();
  /** Values that are no texts, as texts */
  readonly #others = new Map<string, number>();
  /** Objects whose number is known, because their number takes long or is their own */
  readonly #objects = new Map<object, number>();
  /** By number: the last key that had it, and the check in which it came */
  readonly #last: { key: unknown; check: number }[] = [];
  #numbers = 0;
  #checks = 0;

  /**
   * @param of a dict, or a set
   * @param as what the keys are, for the message: "a dict key"
   * @returns why Python can't make a dict or set of the keys; null if it can
   */
  problem(of: ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>, as: string): string | null {
    // Of texts alone, and of numbers alone, a Map holds none twice.
    let types = 0;
    for (const key of of.keys()) {
      types |= typeof key === "string" ? 1 : typeof key === "number" ? 2 : 4;
    }
    if (types < 4) return null;
    this.#checks++;
    try {
      for (const key of of.keys()) {
        const number = this.#number(key);
        const last = this.#last[number];
        if (last?.check === this.#checks) {
          return `${named(last.key)} and ${named(key)} are equal in Python, which keeps only one as ${as}`;
        }
        this.#last[number] = { key, check: this.#checks };
      }
    } catch (error) {
      if (error instanceof KeyProblem) return `${error.message} can't be ${as} in Python`;
      throw error;
    }
    return null;
  }

  #number(key: unknown): number {
    const known = this.#known(key);
    if (known !== null) return known;
    const entered = new Set<object>();
    const open: Open[] = [];
    const enter = (holder: object) => {
      if (entered.has(holder)) throw new KeyProblem("a tuple or set that holds itself");
      entered.add(holder);
      open.push({ holder, items: [...(holder as Iterable<unknown>)], numbers: [] });
    };
    enter(key as object);
    for (;;) {
      const { holder, items, numbers } = open.at(-1) as Open;
      if (numbers.length < items.length) {
        const item = items[numbers.length];
        const number = this.#known(item);
        if (number === null) enter(item as object);
        else numbers.push(number);
        continue;
      }
      const isTuple = holder instanceof Tuple;
      if (!isTuple) numbers.sort((a, b) => a - b);
      const made = this.#numbered(this.#others, `${isTuple ? "tuple" : "set"} ${numbers.join()}`);
      this.#objects.set(holder, made);
      open.pop();
      if (open.length === 0) return made;
    }
  }

  /** @returns null for a tuple or frozenset without a number yet */
  #known(key: unknown): number | null {
    if (typeof key === "string") return this.#numbered(this.#texts, key);
    if (typeof key !== "object" || key === null) return this.#simple(key);
    const known = this.#objects.get(key);
    if (known !== undefined) return known;
    if (isUnhashable(key)) throw new KeyProblem(show(key));
    if (key instanceof Tuple || isSet(key)) return null;
    const number = this.#ofObject(key);
    this.#objects.set(key, number);
    return number;
  }

  #simple(key: unknown): number {
    const text = simpleText(key);
    return text === null ? this.#numbers++ : this.#numbered(this.#others, text);
  }

  #ofObject(key: object): number {
    if (key instanceof Complex) {
      // -0 and 0 are equal.
      const [re, im] = [key.re + 0, key.im + 0];
      if (im === 0 || Number.isNaN(re) || Number.isNaN(im)) return this.#simple(re + im);
      return this.#numbered(this.#others, `complex ${re} ${im}`);
    }
    if (isUint8Array(key)) return this.#bytes(key);
    if (key instanceof PyGlobal) {
      const module = key.module === "__builtin__" ? "builtins" : key.module;
      return this.#numbered(this.#others, `global ${module} ${key.name}`);
    }
    if (key instanceof NumpyScalar) {
      const content = contentOf(key);
      if (typeof content === "string") return this.#numbered(this.#texts, content);
      if (isUint8Array(content) && key.dtype.includes("S")) return this.#bytes(content);
      if (typeof content === "bigint") {
        return this.#numbered(this.#others, `scalar ${key.dtype} ${content}`);
      }
    }
    if (key instanceof PyObject && isEqualByArguments(key)) {
      const items = key.args.map((item) => (typeof item === "string" ? item : simpleText(item)));
      return this.#numbered(this.#others, `object ${key.module} ${key.name} ${items.join(":")}`);
    }
    return this.#numbers++;
  }

  #bytes(bytes: Uint8Array): number {
    const { buffer, byteOffset, byteLength } = bytes;
    const text = Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
    return this.#numbered(this.#others, `bytes ${text}`);
  }

  #numbered(table: Map<string, number>, text: string): number {
    let number = table.get(text);
    if (number === undefined) {
      number = this.#numbers++;
      table.set(text, number);
    }
    return number;
  }
}

/** A text that is the same for equal numbers and bools; null: the key equals no other, as NaN. */
function simpleText(key: unknown): string | null {
  if (key === null) return "None";
  if (typeof key === "boolean") return key ? "int 1" : "int 0";
  if (typeof key === "bigint") return `int ${key.toString(16)}`;
  if (typeof key !== "number" || Number.isNaN(key)) return null;
  if (!Number.isInteger(key)) return `float ${key}`;
  return `int ${(Number.isSafeInteger(key) ? key + 0 : BigInt(key)).toString(16)}`;
}

/** Objects of a class that compares the arguments of its construction: a device, an enum. */
function isEqualByArguments({ module, name, args }: PyObject): boolean {
  const isDevice = module === "torch" && name === "device";
  if (!isDevice && name !== "OverfittingPreset") return false;
  return Array.isArray(args) && args.every((item) => ["string", "number"].includes(typeof item));
}

function contentOf(scalar: NumpyScalar): unknown {
  try {
    return scalar.value;
  } catch {
    return null; // not as numpy writes it
  }
}

/** Without this check, only reading the file in Python would fail. */
function isUnhashable(key: object): boolean {
  const isList = Array.isArray(key) && !(key instanceof Tuple);
  return (
    isList ||
    isMap(key) ||
    key instanceof NdArray ||
    key instanceof NumpyArray ||
    (isSet(key) && !(marksOf(key) & MARK.frozenSet)) ||
    (isUint8Array(key) && (marksOf(key) & MARK.byteArray) !== 0) ||
    isPlain(key)
  );
}

/** Whether the object has no class of its own, so that it stands for a dict. */
export function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** A key for an error message. */
function named(key: unknown): string {
  const shown = 4;
  if (key instanceof Complex) return `Complex(${key.re}, ${key.im})`;
  if (key instanceof PyGlobal) return `${key.module}.${key.name}`;
  if (!(key instanceof Tuple)) return show(key);
  const items = [...key].slice(0, shown).map(show);
  return `Tuple(${[...items, ...(key.length > shown ? ["…"] : [])].join(", ")})`;
}
