const MAX_LENGTH = 100;

/**
 * Makes the stem of a file name from a model's name, valid on every system. Each character outside
 * `A-Za-z0-9_-` becomes `_`; runs of `_` become one; `_` at the ends is removed. The stem is lower
 * case and has at most 100 characters. An empty stem becomes "untitled".
 */
export function fileStem(name: string): string {
  const stem = name
    .replace(/[^A-Za-z0-9_-]/gu, "_")
    .replace(/_+/g, "_")
    .replace(/^_|_$/g, "")
    .toLowerCase()
    .slice(0, MAX_LENGTH);
  return stem === "" ? "untitled" : stem;
}
