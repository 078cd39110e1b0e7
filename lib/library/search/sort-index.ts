import type { ModelEntry } from "../index/entry.js";
import type { IndexImage } from "../index/index-image.js";
import { compareText, needsCodePoints } from "./text-order.js";

type Key = string | number | boolean | readonly string[];
type Compare = (a: Key, b: Key) => number;

/**
 * The slots of all models, sorted by one field. The order is that of Python's stable `sorted`, also
 * with `reverse`: equal keys keep their order of insertion in both directions. An update sorts a
 * nearly sorted list, which takes about as long as one pass through it.
 */
export class SortIndex {
  readonly #field: keyof ModelEntry;
  readonly #reverse: boolean;
  readonly #keys: Key[] = [];
  /** With a NaN key, the order depends on the algorithm, so `#asPythonDoes` sorts. */
  #hasNaN = false;
  #compare: Compare;
  #order: number[] = [];
  #ranks: Uint32Array | undefined;

  constructor(image: IndexImage, field: keyof ModelEntry, reverse: boolean) {
    this.#field = field;
    this.#reverse = reverse;
    this.#compare = compareSimply;
    this.update(image, image.models());
  }

  update(image: IndexImage, slots: Iterable<number>): void {
    const changed = new Set(slots);
    const order = this.#order.filter((slot) => !changed.has(slot));
    for (const slot of changed) {
      if (!image.isModel(slot)) continue;
      const key = keyOf(image, slot, this.#field);
      this.#keys[slot] = key;
      this.#notice(key);
      order.push(slot);
    }
    this.#order = this.#hasNaN ? this.#asPythonDoes([...image.models()]) : this.#sort(order);
    this.#ranks = undefined;
  }

  /** The slots of all models, in order. */
  get order(): readonly number[] {
    return this.#order;
  }

  /** Sorts the given slots. */
  sort(slots: Uint32Array): Uint32Array {
    this.#ranks ??= ranksOf(this.#order);
    const ranks = this.#ranks;
    return slots
      .map((slot) => ranks[slot] as number)
      .sort()
      .map((rank) => this.#order[rank] as number);
  }

  /** Picks the comparison that the keys seen so far need. */
  #notice(key: Key): void {
    if (typeof key === "number") {
      this.#hasNaN ||= Number.isNaN(key);
    } else if (typeof key === "object") {
      this.#compare = compareLists;
    } else if (typeof key === "string" && this.#compare === compareSimply && needsCodePoints(key)) {
      this.#compare = compareText as Compare;
    }
  }

  #sort(order: number[]): number[] {
    const keys = this.#keys;
    const compare = this.#compare;
    const sign = this.#reverse ? -1 : 1;
    return order.sort((a, b) => sign * compare(keys[a] as Key, keys[b] as Key) || a - b);
  }

  /**
   * The order that Python's `sorted` gives when keys are NaN. Python and V8 both use Timsort, and
   * Python compares with `<` only. So the same input and the same comparison give the same order.
   */
  #asPythonDoes(order: number[]): number[] {
    const keys = this.#keys;
    if (this.#reverse) order.reverse();
    order.sort((a, b) => compareSimply(keys[a] as Key, keys[b] as Key));
    return this.#reverse ? order.reverse() : order;
  }
}

/** Vocoders are sorted by their epochs of training; models without a vocoder come before all. */
function keyOf(image: IndexImage, slot: number, field: keyof ModelEntry): Key {
  return field === "vocoder" ? (image.value(slot, field)?.epochs ?? -1) : image.value(slot, field);
}

function compareSimply(a: Key, b: Key): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Compares arrays of strings item by item, as Python compares lists. */
function compareLists(a: Key, b: Key): number {
  const [x, y] = [a as readonly string[], b as readonly string[]];
  for (let i = 0; i < x.length && i < y.length; i++) {
    const order = compareText(x[i] as string, y[i] as string);
    if (order !== 0) return order;
  }
  return x.length - y.length;
}

/** The position of each slot in the order. */
function ranksOf(order: readonly number[]): Uint32Array {
  const highest = order.reduce((most, slot) => Math.max(most, slot), -1);
  const ranks = new Uint32Array(highest + 1);
  order.forEach((slot, rank) => {
    ranks[slot] = rank;
  });
  return ranks;
}
