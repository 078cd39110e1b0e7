import { badArgument, checkBoolean, checkOptions, optionNames } from "../../base/check.js";
import { isField, type ModelEntry } from "../index/entry.js";
import type { IndexImage } from "../index/index-image.js";
import { SortIndex } from "./sort-index.js";
import { TagIndex } from "./tag-index.js";
import { TextIndex } from "./text-index.js";

/** The order of a list. */
export interface ListOptions {
  /**
   * Any field of an entry; default "saveDate". Vocoders are sorted by their epochs. An unknown name
   * keeps the order of insertion.
   */
  sortBy?: keyof ModelEntry;
  /**
   * Descending order; default true, which gives the newest first. Entries with equal values keep
   * their order of insertion in both directions.
   */
  reverse?: boolean;
}

/** The conditions of a search, and the order of its results. */
export interface SearchOptions extends ListOptions {
  /** Part of the name or of the description, in upper or lower case; "" matches all models. */
  query?: string;
  /** Models with at least one of these tags, in upper or lower case; [] matches all models. */
  tags?: string[];
}

/** One page of the results. */
export interface PageOptions {
  /** The number of results before the page; default 0 */
  offset?: number;
  /** The largest number of results on the page */
  limit: number;
}

const OPTIONS = optionNames<SearchOptions>({
  sortBy: true,
  reverse: true,
  query: true,
  tags: true,
});
const PAGE_OPTIONS = [...OPTIONS, ...optionNames<PageOptions>({ offset: true, limit: true })];

/**
 * @param isPage whether `offset` and `limit` are allowed
 * @throws SdaError ERR_SDA_ARGUMENT
 */
export function checkSearchOptions(options: SearchOptions, isPage = false): void {
  checkOptions("options", options, isPage ? PAGE_OPTIONS : OPTIONS);
  const { query, tags, reverse } = options;
  if (query !== undefined && typeof query !== "string")
    throw badArgument("query", "a string", query);
  const isTags = Array.isArray(tags) && tags.every((tag) => typeof tag === "string");
  if (tags !== undefined && !isTags) throw badArgument("tags", "an array of strings", tags);
  if (reverse !== undefined) checkBoolean("reverse", reverse);
}

/**
 * When more than this share of all models matches, filtering the sorted list of all models is
 * faster than sorting the matches.
 */
const MANY = 1 / 16;

/**
 * Searches an image. Its indexes of texts, tags and orders are built on first use, then updated.
 */
export class Search {
  readonly #image: IndexImage;
  /** The number of the image's changes that the indexes include */
  #seen: number;
  #texts: TextIndex | undefined;
  #tags: TagIndex | undefined;
  readonly #sorts = new Map<string, SortIndex>();

  constructor(image: IndexImage) {
    this.#image = image;
    this.#seen = image.changes.length;
  }

  find(options: SearchOptions): ModelEntry[] {
    return Array.from(this.slots(options), (slot) => this.#image.entry(slot));
  }

  /** The slots of all matches, in the requested order. */
  slots({
    query = "",
    tags = [],
    sortBy = "saveDate",
    reverse = true,
  }: SearchOptions): readonly number[] | Uint32Array {
    this.#catchUp();
    const image = this.#image;
    const sort = isField(sortBy) ? this.#sort(sortBy, reverse) : null;
    if (query === "" && tags.length === 0) return sort?.order ?? [...image.models()];
    const found = Uint32Array.from(this.#matching(query, tags));
    if (!sort) return found.sort(); // slots are numbered in order of insertion
    if (found.length <= image.count * MANY) return sort.sort(found);
    const wanted = new Uint8Array(image.slots);
    for (const slot of found) wanted[slot] = 1;
    return sort.order.filter((slot) => wanted[slot] === 1);
  }

  #catchUp(): void {
    const { changes } = this.#image;
    if (changes.length === this.#seen) return;
    const slots = changes.slice(this.#seen);
    this.#seen = changes.length;
    this.#texts?.update(this.#image, slots);
    this.#tags?.update(this.#image, slots);
    for (const sort of this.#sorts.values()) sort.update(this.#image, slots);
  }

  #matching(query: string, tags: readonly string[]): Iterable<number> {
    const tagged = tags.length === 0 ? null : this.#tagIndex().having(tags);
    if (query === "" && tagged) return tagged;
    const found = this.#textIndex().search(this.#image, query);
    return tagged ? found.filter((slot) => tagged.has(slot)) : found;
  }

  #sort(field: keyof ModelEntry, reverse: boolean): SortIndex {
    const key = `${field} ${reverse}`;
    let sort = this.#sorts.get(key);
    if (!sort) {
      sort = new SortIndex(this.#image, field, reverse);
      this.#sorts.set(key, sort);
    }
    return sort;
  }

  #textIndex(): TextIndex {
    this.#texts ??= new TextIndex(this.#image);
    return this.#texts;
  }

  #tagIndex(): TagIndex {
    this.#tags ??= new TagIndex(this.#image);
    return this.#tags;
  }
}
