/** Converts values of a checkpoint to JSON that people read. Programs cannot convert it back. */
const MAX_DEPTH = 32;
/** A file may refer to one value many times: a few bytes could become gigabytes of JSON. */
const MAX_VALUES = 10_000;
const MAX_CHARACTERS = 1_000_000;
const CUT = "…";

/** Replaces deeper values, and values after 10,000 values or a million characters, by "…". */
export function plainJson(value: unknown): unknown {
  let values = 0;
  let characters = 0;

  function text(of: string): string {
    characters += of.length;
    return characters > MAX_CHARACTERS ? CUT : of;
  }

  function name(key: unknown): string {
    return text(
      typeof key === "object" && key !== null ? JSON.stringify(plain(key, 1)) : String(key),
    );
  }

  function all(items: Iterable<unknown>, depth: number): unknown[] {
    const found: unknown[] = [];
    for (const item of items) {
      if (values >= MAX_VALUES) return [...found, CUT];
      found.push(plain(item, depth + 1));
    }
    return found;
  }

  function dict(entries: Iterable<readonly [unknown, unknown]>, depth: number): object {
    const found: [string, unknown][] = [];
    for (const [key, item] of entries) {
      if (values >= MAX_VALUES) break;
      found.push([name(key), plain(item, depth + 1)]);
    }
    return Object.fromEntries(found);
  }

  function plain(item: unknown, depth: number): unknown {
    values++;
    if (typeof item === "bigint")
      return Number.isSafeInteger(Number(item)) ? Number(item) : text(String(item));
    if (typeof item === "string") return text(item);
    if (typeof item !== "object" || item === null) return item ?? null;
    if (depth > MAX_DEPTH) return CUT;
    if (Array.isArray(item) || item instanceof Set) return all(item, depth);
    if (ArrayBuffer.isView(item)) return `${item.byteLength} bytes`;
    return dict(item instanceof Map ? item : Object.entries(item), depth);
  }

  return plain(value, 0);
}
