import type { IndexImage } from "../index/index-image.js";
import { lower } from "./text-order.js";

/** Finds models by tag, in upper or lower case. */
export class TagIndex {
  /** The slots by lower-case tag. */
  readonly #slots = new Map<string, Set<number>>();
  /** The lower-case tags by slot. */
  readonly #tags: (string[] | undefined)[] = [];

  constructor(image: IndexImage) {
    this.update(image, image.models());
  }

  update(image: IndexImage, slots: Iterable<number>): void {
    for (const slot of slots) {
      for (const tag of this.#tags[slot] ?? []) this.#slots.get(tag)?.delete(slot);
      const tags = image.isModel(slot) ? image.value(slot, "tags").map(lower) : [];
      this.#tags[slot] = tags;
      for (const tag of tags) {
        const having = this.#slots.get(tag);
        if (having) having.add(slot);
        else this.#slots.set(tag, new Set([slot]));
      }
    }
  }

  /** The slots of the models that have at least one of the tags. */
  having(tags: readonly string[]): Set<number> {
    const found = tags.map((tag) => this.#slots.get(lower(tag)) ?? NONE);
    if (found.length === 1) return found[0] as Set<number>;
    return new Set(found.flatMap((slots) => [...slots]));
  }
}

const NONE: Set<number> = new Set();
