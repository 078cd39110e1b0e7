/**
 * An index in memory: the file's bytes, the position of each entry in them, and the changes since.
 *
 * Entries have slots, numbered in order of insertion. Most slots are a range of the bytes, which is
 * parsed on demand. Entries that are new, replaced or not in the usual layout have a record of
 * their own. So a new index consists of a few large slices of the old one, for any number of
 * entries.
 */
import { badArgument } from "../../base/check.js";
import { type PyDict, parsePythonJson, pythonString } from "../../base/python-json.js";
import {
  ENTRY_NAMES,
  entryFromJson,
  entryFromPython,
  entryTextIn,
  FIELDS,
  type ModelEntry,
  needsVocoders,
  replacedText,
  upgradedText,
} from "./entry.js";

/** One entry that is not just a range of the file. */
export interface EntryRecord {
  id: string;
  /** `"id": {…}` */
  text: Buffer;
  /** null: the text is not a valid ModelEntry */
  entry: ModelEntry | null;
  /** Why `entry` is null */
  problem?: string;
  /**
   * Whether the text may have fields that this code does not know, and numbers in another form than
   * this code writes. An entry that replaces this one keeps them.
   */
  isOdd?: boolean;
}

/** A file in the usual layout, as the native scanner found it: `native/library/index_scanner.h`. */
export interface IndexBase {
  bytes: Buffer;
  layout: Uint32Array;
}

/** Offsets in the numbers that the scanner gives for each entry, and the bits of its flags. */
export const LAYOUT = {
  entryStart: 0,
  keyEnd: 1,
  valueEnds: 2,
  entryEnd: 2 + FIELDS.length,
  flags: 3 + FIELDS.length,
  stride: 4 + FIELDS.length,
  odd: 1,
  notFinite: 2,
} as const;

/** Length of the text between the previous value, or the entry's key, and each field's value. */
const BEFORE = FIELDS.map((field, i) =>
  i === 0 ? `: {\n      "${ENTRY_NAMES[field]}": ` : `,\n      "${ENTRY_NAMES[field]}": `,
).map((text) => text.length);

const EMPTY_BASE: IndexBase = { bytes: Buffer.alloc(0), layout: new Uint32Array(0) };

/** The newest version of an index that this code writes. */
export const INDEX_VERSION = 2;

/** The members of an index other than `models`, each with its text, before and after it. */
export interface IndexFrame {
  version: number;
  before: readonly (readonly [key: string, text: string])[];
  after: readonly (readonly [key: string, text: string])[];
}

/** The frame that Python's program writes. */
export function usualFrame(version: number): IndexFrame {
  return { version, before: [["version", String(version)]], after: [] };
}

/** The texts before the first entry and after the closing brace of `models`. */
function frameTexts({ before, after }: IndexFrame, version: number): [string, string] {
  const line = ([key, text]: readonly [string, string]) =>
    `\n  ${pythonString(key)}: ${key === "version" ? version : text}`;
  const head = before.map((member) => `${line(member)},`).join("");
  return [`{${head}\n  "models": {`, `${after.map((member) => `,${line(member)}`).join("")}\n}`];
}

export class IndexImage {
  readonly #base: IndexBase;
  readonly #baseCount: number;
  readonly #frame: IndexFrame;
  #version: number;
  readonly #records = new Map<number, EntryRecord>();
  readonly #removed = new Set<number>();
  readonly #entries: (ModelEntry | undefined)[] = [];
  #slots: number;
  #count: number;
  #ids: Map<string, number> | undefined;
  readonly #changes: number[] = [];

  /** @param records by slot; slots beyond the base's must follow them without a gap */
  constructor(
    base: IndexBase = EMPTY_BASE,
    records: Iterable<[number, EntryRecord]> = [],
    frame = usualFrame(1),
  ) {
    this.#base = base;
    this.#baseCount = base.layout.length / LAYOUT.stride;
    this.#frame = frame;
    this.#version = frame.version;
    this.#slots = this.#baseCount;
    this.#count = this.#baseCount;
    for (const [slot, record] of records) {
      if (slot < this.#baseCount) this.#count--;
      this.#setRecord(slot, record);
    }
  }

  /** The version that the index states. */
  get version(): number {
    return this.#version;
  }

  /** Whether the index is from a later program, so that this code must not write it. */
  get isNewer(): boolean {
    return this.#version > 1 && this.#version !== INDEX_VERSION;
  }

  /** The number of readable entries. */
  get count(): number {
    return this.#count;
  }

  /** The number of slots, removed ones included. */
  get slots(): number {
    return this.#slots;
  }

  /** The number of records, removals and changes that a new image read from the file would lack. */
  get clutter(): number {
    return this.#records.size + this.#removed.size + this.#changes.length;
  }

  /** The slots of all readable entries, in order of insertion. */
  *models(): Generator<number> {
    for (let slot = 0; slot < this.#slots; slot++) if (this.isModel(slot)) yield slot;
  }

  /** Whether the slot holds a readable entry. */
  isModel(slot: number): boolean {
    return !this.#removed.has(slot) && this.#records.get(slot)?.entry !== null;
  }

  /** The unreadable entries. They are never listed, and written back unchanged. */
  *unknown(): Generator<EntryRecord> {
    for (const [slot, record] of this.#records) {
      if (record.entry === null && !this.#removed.has(slot)) yield record;
    }
  }

  slotOf(id: string): number | undefined {
    return this.#idMap().get(id);
  }

  /** The entry with this id; null if there is none or it is unreadable. */
  get(id: string): ModelEntry | null {
    const slot = this.slotOf(id);
    return slot !== undefined && this.isModel(slot) ? this.entry(slot) : null;
  }

  idOf(slot: number): string {
    const record = this.#records.get(slot);
    if (record) return record.id;
    const { bytes, layout } = this.#base;
    const at = slot * LAYOUT.stride;
    return cutString(bytes, layout[at] as number, layout[at + LAYOUT.keyEnd] as number);
  }

  entry(slot: number): ModelEntry {
    const known = this.#entries[slot];
    if (known) return known;
    const made = this.#records.get(slot)?.entry ?? this.#parse(slot);
    this.#entries[slot] = made;
    return made;
  }

  /** One field of an entry. Parses only this field where possible. */
  value<K extends keyof ModelEntry>(slot: number, field: K): ModelEntry[K];
  value(slot: number, field: keyof ModelEntry): unknown {
    const made = this.#entries[slot] ?? this.#records.get(slot)?.entry;
    if (made) return made[field];
    const { bytes, layout } = this.#base;
    const index = FIELDS.indexOf(field);
    const ends = slot * LAYOUT.stride + LAYOUT.valueEnds + index;
    const start = (layout[ends - 1] as number) + (BEFORE[index] as number);
    const end = layout[ends] as number;
    if (end === 0) return null; // an entry of version 1 has no vocoder
    switch (bytes[start]) {
      case 0x22: // "
        return cutString(bytes, start, end);
      case 0x5b: // [
        return end - start === 2 ? [] : JSON.parse(bytes.toString("latin1", start, end));
      case 0x74: // true
      case 0x66: // false
        return bytes[start] === 0x74;
      case 0x6e: // null
        return null;
      case 0x7b: // {
        return this.entry(slot)[field];
      default:
        return Number(bytes.toString("latin1", start, end)); // parses NaN and Infinity, too
    }
  }

  /** The bytes of the whole index, with the patch applied, in few pieces. */
  assemble(patch?: Patch): Buffer[] {
    const version = patch?.version ?? this.#version;
    const [head, rest] = frameTexts(this.#frame, version);
    // An index that becomes version 2 gets the new field in every entry, as the program writes it.
    const isUpgrade = version > this.#frame.version;
    const pieces = new Pieces(head);
    const touched = new Set(this.#removed);
    for (const slot of this.#records.keys()) touched.add(slot);
    for (const slot of patch?.removed ?? []) touched.add(slot);
    for (const slot of patch?.replaced.keys() ?? []) touched.add(slot);
    let next = 0;
    for (const slot of Uint32Array.from(touched).sort()) {
      this.#addRange(pieces, next, Math.min(slot, this.#baseCount), isUpgrade);
      next = slot + 1;
      if (this.#removed.has(slot) || patch?.removed.has(slot)) continue;
      const record = patch?.replaced.get(slot) ?? this.#records.get(slot);
      if (record) pieces.add(isUpgrade ? upgraded(record) : record.text);
    }
    this.#addRange(pieces, next, this.#baseCount, isUpgrade);
    for (const record of patch?.appended.values() ?? []) {
      pieces.add(isUpgrade ? upgraded(record) : record.text);
    }
    return pieces.finish(rest);
  }

  /** Applies the changes to this image. */
  apply(patch: Patch): void {
    this.#version = patch.version;
    for (const slot of patch.removed) {
      this.#ids?.delete(this.idOf(slot));
      if (this.isModel(slot)) this.#count--;
      this.#removed.add(slot);
      this.#records.delete(slot);
      this.#entries[slot] = undefined;
      this.#changes.push(slot);
    }
    for (const [slot, record] of patch.replaced) {
      if (this.isModel(slot)) this.#count--;
      this.#setRecord(slot, record);
      this.#changes.push(slot);
    }
    for (const record of patch.appended.values()) {
      const slot = this.#slots;
      this.#setRecord(slot, record);
      this.#ids?.set(record.id, slot);
      this.#changes.push(slot);
    }
  }

  /** The slots that have changed since the image was made, in the order of the changes. */
  get changes(): readonly number[] {
    return this.#changes;
  }

  #setRecord(slot: number, record: EntryRecord): void {
    this.#records.set(slot, record);
    this.#entries[slot] = record.entry ?? undefined;
    this.#slots = Math.max(this.#slots, slot + 1);
    if (record.entry !== null) this.#count++;
  }

  #idMap(): Map<string, number> {
    if (this.#ids) return this.#ids;
    const ids = new Map<string, number>();
    for (let slot = 0; slot < this.#slots; slot++) {
      if (!this.#removed.has(slot)) ids.set(this.idOf(slot), slot);
    }
    this.#ids = ids;
    return ids;
  }

  #addRange(pieces: Pieces, from: number, to: number, isUpgrade: boolean): void {
    if (from >= to) return;
    const { bytes, layout } = this.#base;
    if (isUpgrade) {
      for (let slot = from; slot < to; slot++) pieces.add(this.#upgradedRange(slot));
      return;
    }
    const start = layout[from * LAYOUT.stride] as number;
    const end = layout[(to - 1) * LAYOUT.stride + LAYOUT.entryEnd] as number;
    pieces.add(bytes.subarray(start, end));
  }

  /** The text of a regular entry, with a vocoder. */
  #upgradedRange(slot: number): Buffer {
    const { bytes, layout } = this.#base;
    const at = slot * LAYOUT.stride;
    const start = layout[at] as number;
    const end = layout[at + LAYOUT.entryEnd] as number;
    const hasVocoder = layout[at + LAYOUT.valueEnds + FIELDS.length - 1] !== 0;
    if (hasVocoder) return bytes.subarray(start, end);
    return Buffer.concat([bytes.subarray(start, end - ENTRY_END.length), NO_VOCODER, ENTRY_END]);
  }

  /** The record of a slot, if it has one. */
  record(slot: number): EntryRecord | undefined {
    return this.#records.get(slot);
  }

  #parse(slot: number): ModelEntry {
    const { bytes, layout } = this.#base;
    const at = slot * LAYOUT.stride;
    // After the key come ": " and the object.
    const start = (layout[at + LAYOUT.keyEnd] as number) + 2;
    const text = bytes.toString("latin1", start, layout[at + LAYOUT.entryEnd]);
    if (((layout[at + LAYOUT.flags] as number) & LAYOUT.notFinite) === 0) {
      return entryFromJson(JSON.parse(text)); // many times faster than `parsePythonJson`
    }
    return entryFromPython(parsePythonJson(text)) as ModelEntry;
  }
}

const ENTRY_END = Buffer.from("\n    }");
const NO_VOCODER = Buffer.from(`,\n      "${ENTRY_NAMES.vocoder}": null`);

/** The text of a record in an index of version 2. That of an unreadable entry stays as it is. */
function upgraded({ entry, text }: EntryRecord): Buffer {
  return entry === null ? text : Buffer.from(upgradedText(text.toString()));
}

function cutString(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString("latin1", start + 1, end - 1);
  return text.includes("\\") ? JSON.parse(`"${text}"`) : text;
}

/** Collects the texts of entries with their separators, and joins small texts. */
class Pieces {
  readonly #pieces: Buffer[] = [];
  #small: Buffer[];
  #empty = true;

  constructor(head: string) {
    this.#small = [Buffer.from(head)];
  }

  add(text: Buffer): void {
    this.#small.push(this.#empty ? FIRST : SEPARATOR);
    this.#empty = false;
    if (text.length <= SMALL) {
      this.#small.push(text);
      if (this.#small.length > JOINED_AT_MOST) this.#flush();
    } else {
      this.#flush();
      this.#pieces.push(text);
    }
  }

  finish(rest: string): Buffer[] {
    this.#small.push(Buffer.from(this.#empty ? `}${rest}` : `\n  }${rest}`));
    this.#flush();
    return this.#pieces;
  }

  #flush(): void {
    this.#pieces.push(Buffer.concat(this.#small));
    this.#small = [];
  }
}

/** Texts of up to this many bytes are joined. */
const SMALL = 65_536;
/** So many texts are joined to one, which so stays far below 4 GiB. */
const JOINED_AT_MOST = 16_384;
const FIRST = Buffer.from("\n    ");
const SEPARATOR = Buffer.from(",\n    ");

/** Changes of an image that are not applied yet. */
export class Patch {
  readonly image: IndexImage;
  #version: number;
  readonly removed = new Set<number>();
  readonly replaced = new Map<number, EntryRecord>();
  readonly appended = new Map<string, EntryRecord>();

  constructor(image: IndexImage) {
    this.image = image;
    this.#version = image.version;
  }

  /** The version of the index with these changes. */
  get version(): number {
    return this.#version;
  }

  get isEmpty(): boolean {
    return this.removed.size + this.replaced.size + this.appended.size === 0;
  }

  /** The entry with these changes applied; null if there is none or it is unreadable. */
  get(id: string): ModelEntry | null {
    const added = this.appended.get(id);
    if (added) return added.entry;
    const slot = this.image.slotOf(id);
    if (slot === undefined || this.removed.has(slot)) return null;
    const replaced = this.replaced.get(slot);
    if (replaced) return replaced.entry;
    return this.image.isModel(slot) ? this.image.entry(slot) : null;
  }

  /** Whether an entry has this id, readable or not. */
  has(id: string): boolean {
    if (this.appended.has(id)) return true;
    const slot = this.image.slotOf(id);
    return slot !== undefined && !this.removed.has(slot);
  }

  /**
   * Checks that `add` may be called for this id. An unreadable entry belongs to another program, so
   * it is never overwritten.
   *
   * @throws SdaError ERR_SDA_ARGUMENT: an unreadable entry has the id
   */
  checkAdding(id: string): void {
    if (this.has(id) && this.get(id) === null) {
      const expected = "another id (the index has an unreadable entry with this id)";
      throw badArgument("entry.modelId", expected, id);
    }
  }

  /**
   * Adds or replaces an entry. A replaced entry keeps its place, as in a Python dict, and the
   * fields that this code does not know.
   */
  add(entry: ModelEntry): void {
    const { modelId } = entry;
    if (needsVocoders(entry)) this.#version = Math.max(INDEX_VERSION, this.#version);
    const slot = this.image.slotOf(modelId);
    const isNew = slot === undefined || this.removed.has(slot);
    const old = isNew
      ? this.appended.get(modelId)
      : (this.replaced.get(slot) ?? this.image.record(slot));
    const record = this.#record(entry, old?.isOdd ? old : undefined);
    if (isNew) this.appended.set(modelId, record);
    else this.replaced.set(slot, record);
  }

  #record(entry: ModelEntry, old: EntryRecord | undefined): EntryRecord {
    const id = entry.modelId;
    if (!old) return { id, text: Buffer.from(entryTextIn(this.version, entry)), entry };
    const [value] = (parsePythonJson(`{${old.text}}`) as PyDict).values();
    const text = Buffer.from(replacedText(this.version, entry, value as PyDict));
    return { id, text, entry, isOdd: true };
  }

  /** @returns false: there is no readable entry with this id */
  remove(id: string): boolean {
    if (this.get(id) === null) return false;
    if (this.appended.delete(id)) return true;
    const slot = this.image.slotOf(id) as number;
    this.replaced.delete(slot);
    this.removed.add(slot);
    return true;
  }
}
