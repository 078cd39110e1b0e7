/** Finds lines that are too long in Markdown and in comments. Biome and clang-format wrap code. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export const MAX_COLUMNS = 100;

export interface LongLine {
  /** From 1 */
  line: number;
  columns: number;
}

/** Languages with a formatter for code: only comments are checked. */
const FORMATTED = /\.(ts|tsx|js|mjs|cjs|cc|h)$/;
/** Languages without a formatter: each line is checked. */
const PLAIN = /\.(py|sh|cmake|css|html|ya?ml|dict)$|(^|\/)(CMakeLists\.txt|\.ci\/run)$/;

/** Generated files, data, and texts that are not ours. */
const LEFT_OUT = [/^test\/fixtures\//, /^bench\/results\//, /^assets\//, /^test\/fuzz\/corpus\//];

/**
 * Checks the given files of the checkout at `root`.
 *
 * @param names paths relative to `root`
 * @returns a line "NAME:LINE: COLUMNS columns" for each line that is too long
 */
export function lineLengthProblems(root: string, names: readonly string[]): string[] {
  return names
    .filter(isChecked)
    .flatMap((name) =>
      longLines(name, readFileSync(join(root, name), "utf8")).map(
        ({ line, columns }) => `${name}:${line}: ${columns} columns`,
      ),
    );
}

/** Whether the file's lines are checked. */
export function isChecked(name: string): boolean {
  if (LEFT_OUT.some((pattern) => pattern.test(name))) return false;
  return name.endsWith(".md") || FORMATTED.test(name) || PLAIN.test(name);
}

/**
 * The lines of a file that are longer than MAX_COLUMNS. Left out are lines with a URL, tables and
 * code blocks in Markdown, and code that a formatter wraps.
 *
 * @param name path of the file, whose suffix tells the language
 */
export function longLines(name: string, text: string): LongLine[] {
  const isExcepted = exceptions(name);
  return text.split("\n").flatMap((line, i) => {
    const excepted = isExcepted(line); // called for each line, because it follows code blocks
    const columns = [...line].length;
    if (columns <= MAX_COLUMNS || excepted || /\bhttps?:\/\//.test(line)) return [];
    return [{ line: i + 1, columns }];
  });
}

/** A function that is called with the lines of a file, in order. */
function exceptions(name: string): (line: string) => boolean {
  if (name.endsWith(".md")) return markdownExceptions();
  if (FORMATTED.test(name)) return (line) => !hasComment(line);
  return () => false;
}

function markdownExceptions(): (line: string) => boolean {
  let fence: string | null = null;
  return (line) => {
    const [, mark] = /^\s*(```+|~~~+)/.exec(line) ?? [];
    if (mark !== undefined) {
      if (fence === null) fence = mark;
      else if (line.trim() === fence) fence = null;
      return true;
    }
    return fence !== null || /^\s*\|/.test(line);
  };
}

/** Whether a line is part of a comment, or ends with one: told by its form, without parsing. */
function hasComment(line: string): boolean {
  return /^\s*(\{?\/\*|\*|\/\/)/.test(line) || /[\s;,({]\/\/ [^"'`]*$/.test(line);
}
