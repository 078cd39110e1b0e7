import type { IndexImage } from "./index-image.js";
import { lower } from "./text-order.js";

/** Between any two of the texts; a query that has it in it is looked for text by text. */
const SEPARATOR = "\0";

/**
 * Finds texts that contain a query. All names and descriptions are in one long string, in lower case, because one
 * search through a long string is many times as fast as many searches through short ones.
 *
 * A slot whose texts change gets a new segment at the end; its old one stays and no longer counts.
 */
export class TextIndex {
  #text = "";
  /** Where each segment begins, and whose it is. */
  readonly #starts: number[] = [];
  readonly #slots: number[] = [];
  /** By slot: its segment that counts, -1 for none. */
  readonly #segments: number[] = [];

  constructor(image: IndexImage) {
    this.update(image, image.models());
  }

  update(image: IndexImage, slots: Iterable<number>): void {
    const texts: string[] = [];
    let end = this.#text.length;
    for (const slot of new Set(slots)) {
      if (!image.isModel(slot)) {
        this.#segments[slot] = -1;
        continue;
      }
      const name = lower(image.value(slot, "name"));
      const description = lower(image.value(slot, "description"));
      this.#segments[slot] = this.#starts.length;
      this.#starts.push(end);
      this.#slots.push(slot);
      texts.push(name, description);
      end += name.length + description.length + 2 * SEPARATOR.length;
    }
    if (texts.length > 0) this.#text += texts.join(SEPARATOR) + SEPARATOR;
  }

  /** Calls `found` for each slot that has the query, which is not empty, in its name or its description. */
  search(image: IndexImage, query: string, found: (slot: number) => void): void {
    const sought = lower(query);
    if (sought.includes(SEPARATOR)) {
      searchEach(image, sought, found);
      return;
    }
    const text = this.#text;
    let segment = 0;
    for (let at = text.indexOf(sought); at !== -1; ) {
      segment = this.#segmentAt(at, segment);
      const slot = this.#slots[segment] as number;
      if (this.#segments[slot] === segment) found(slot);
      at = text.indexOf(sought, this.#starts[segment + 1] ?? text.length);
    }
  }

  /** The segment that holds a position, not before the segment `from`. */
  #segmentAt(position: number, from: number): number {
    let low = from;
    let high = this.#starts.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] as number) <= position) low = middle;
      else high = middle;
    }
    return low;
  }
}

function searchEach(image: IndexImage, sought: string, found: (slot: number) => void): void {
  for (const slot of image.models()) {
    const texts = [image.value(slot, "name"), image.value(slot, "description")];
    if (texts.some((text) => lower(text).includes(sought))) found(slot);
  }
}
