const MAX_LENGTH = 100;

/**
 * A name as the stem of a file name that every system takes: everything outside `A-Za-z0-9_-` becomes `_`, runs of `_`
 * one, none at the ends; lower case, at most 100 long, "untitled" when nothing is left.
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
