import type { ModelEntry } from "../index/entry.js";
import type { IndexImage } from "../index/index-image.js";
import { compareText, needsCodePoints } from "./text-order.js";

type Key = string | number | boolean | readonly string[];
type Compare = (a: Key, b: Key) => number;

/**
 * The slots of all models in the order of one field: as Python's stable `sorted`, also when reversed, so equal keys
 * keep their order of insertion both ways. Changes are sorted in, which costs about as much as walking through the list.
 */
export class SortIndex {
  readonly #field: keyof ModelEntry;
  readonly #reverse: boolean;
  readonly #keys: Key[] = [];
  /** NaN compares with nothing, so only Python's own way through the list gives its order. */
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
      const key: Key = image.value(slot, this.#field);
      this.#keys[slot] = key;
      this.#notice(key);
      order.push(slot);
    }
    this.#order = this.#hasNaN ? this.#asPythonDoes([...image.models()]) : this.#sort(order);
    this.#ranks = undefined;
  }

  /** All models' slots in order. */
  get order(): readonly number[] {
    return this.#order;
  }

  /** Puts slots in order. */
  sort(slots: Uint32Array): Uint32Array {
    this.#ranks ??= ranksOf(this.#order);
    const ranks = this.#ranks;
    return slots
      .map((slot) => ranks[slot] as number)
      .sort()
      .map((rank) => this.#order[rank] as number);
  }

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

  /** Both engines' sorts are Tim Peters', asking only whether one key is less than another. */
  #asPythonDoes(order: number[]): number[] {
    const keys = this.#keys;
    if (this.#reverse) order.reverse();
    order.sort((a, b) => compareSimply(keys[a] as Key, keys[b] as Key));
    return this.#reverse ? order.reverse() : order;
  }
}

function compareSimply(a: Key, b: Key): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareLists(a: Key, b: Key): number {
  const [x, y] = [a as readonly string[], b as readonly string[]];
  for (let i = 0; i < x.length && i < y.length; i++) {
    const order = compareText(x[i] as string, y[i] as string);
    if (order !== 0) return order;
  }
  return x.length - y.length;
}

function ranksOf(order: readonly number[]): Uint32Array {
  const highest = order.reduce((most, slot) => Math.max(most, slot), -1);
  const ranks = new Uint32Array(highest + 1);
  order.forEach((slot, rank) => {
    ranks[slot] = rank;
  });
  return ranks;
}
