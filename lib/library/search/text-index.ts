import { callNativeSync } from "../../native/call.js";
import { checkpointAddon } from "../../native/load.js";
import type { IndexImage } from "../index/index-image.js";
import { lower } from "./text-order.js";

/** Ends each text, so that no match spans two texts. */
const SEPARATOR = "\0";
/** Half of a surrogate pair, which UTF-8 can't represent. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** A typed array that items can be appended to. */
class GrowingArray<T extends Uint8Array | Uint32Array> {
  readonly #type: new (
    length: number,
  ) => T;
  #room: T;
  length = 0;

  constructor(type: new (length: number) => T) {
    this.#type = type;
    this.#room = new type(64);
  }

  get view(): T {
    return this.#room.subarray(0, this.length) as T;
  }

  push(items: ArrayLike<number>): void {
    const length = this.length + items.length;
    if (length > this.#room.length) {
      const room = new this.#type(Math.max(length, 2 * this.#room.length));
      room.set(this.view);
      this.#room = room;
    }
    this.#room.set(items, this.length);
    this.length = length;
  }
}

/**
 * Finds models by part of their name or description. All names and descriptions form one text, in
 * lower case and UTF-8: one search through it is many times faster than a search per model.
 *
 * The texts of one slot are a segment. When they change, the slot gets a new segment at the end;
 * the old segment stays and is ignored.
 */
export class TextIndex {
  readonly #texts = new GrowingArray(Uint8Array);
  /** Where each segment begins. */
  readonly #starts = new GrowingArray(Uint32Array);
  /** The slot of each segment. */
  readonly #slots = new GrowingArray(Uint32Array);
  /** The current segment of each slot; -1 for none. */
  readonly #segments: number[] = [];

  constructor(image: IndexImage) {
    this.update(image, image.models());
  }

  update(image: IndexImage, slots: Iterable<number>): void {
    const texts: string[] = [];
    const owners: number[] = [];
    for (const slot of new Set(slots)) {
      this.#segments[slot] = -1;
      if (!image.isModel(slot)) continue;
      owners.push(slot);
      const [name, description] = [image.value(slot, "name"), image.value(slot, "description")];
      texts.push(`${lower(name)}${SEPARATOR}${lower(description)}${SEPARATOR}`);
    }
    const all = Buffer.from(texts.join(""));
    let at = this.#texts.length;
    this.#texts.push(all);
    owners.forEach((slot, i) => {
      this.#segments[slot] = this.#starts.length;
      this.#starts.push([at]);
      this.#slots.push([slot]);
      at += Buffer.byteLength(texts[i] as string);
    });
  }

  /**
   * The slots whose name or description contains the query.
   *
   * @param query not empty
   */
  search(image: IndexImage, query: string): number[] {
    const sought = lower(query);
    if (sought.includes(SEPARATOR) || LONE_SURROGATE.test(sought)) return searchEach(image, sought);
    const [texts, starts] = [this.#texts.view, this.#starts.view];
    const found = callNativeSync(() =>
      checkpointAddon().findText(texts, starts, Buffer.from(sought)),
    );
    const slots: number[] = [];
    const owners = this.#slots.view;
    for (const segment of found) {
      const slot = owners[segment] as number;
      if (this.#segments[slot] === segment) slots.push(slot);
    }
    return slots;
  }
}

/** Searches text by text, for a query that the joined text can't answer. */
function searchEach(image: IndexImage, sought: string): number[] {
  return [...image.models()].filter((slot) =>
    [image.value(slot, "name"), image.value(slot, "description")].some((text) =>
      lower(text).includes(sought),
    ),
  );
}
