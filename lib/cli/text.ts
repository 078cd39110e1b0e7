/** Formats text for people: makes text from files safe to print; tables, sizes, dates, colours. */
import { createRequire } from "node:module";
import pc from "picocolors";
import type { GenerationName } from "../format/generations.js";
import type { VocoderInfo } from "../format/vocoder.js";
import type { Output } from "./output.js";

/**
 * Makes text from a file safe to print. Control characters, which could move a terminal's cursor or
 * change its title, and characters that change the direction of text become escapes.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (c) => (KEPT.has(c) ? c : escaped(c)));
}

/** As `printable`, but keeps line breaks. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

/** The zero-width joiner, which combines several emoji into one. */
const KEPT = new Set(["\u200d"]);

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const hex = code.toString(16).padStart(4, "0");
  return code > 0xffff ? `\\u{${hex}}` : `\\u${hex}`;
}

/** Colours, if the output is a terminal that has them. NO_COLOR and FORCE_COLOR override this. */
export function colors(output: Output): ReturnType<typeof pc.createColors> {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (NO_COLOR) return pc.createColors(false);
  if (FORCE_COLOR) return pc.createColors(FORCE_COLOR !== "0");
  return pc.createColors(output.isTTY === true && TERM !== "dumb");
}

/** Spaces between columns. */
const GAP = 2;
/** Columns are not cut below this width. */
const MIN_CUT = 8;

export interface TableOptions {
  /** Cut long columns until a line has at most this many characters */
  width?: number | undefined;
}

/**
 * Formats rows as a table. Columns are as wide as their widest cell; numbers are right-aligned. The
 * first row is the heading.
 */
export function table(rows: readonly (readonly (string | number)[])[], options: TableOptions = {}) {
  const cells = rows.map((row) => row.map(String));
  const widths: number[] = [];
  for (const row of cells) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, columnsOf(cell));
    });
  }
  if (options.width) shrink(widths, options.width);
  const lines = rows.map((row, r) =>
    row
      .map((cell, i) => {
        const width = widths[i] ?? 0;
        const text = cut(cells[r]?.[i] ?? "", width);
        const space = " ".repeat(Math.max(0, width - columnsOf(text)));
        return typeof cell === "number" ? space + text : text + space;
      })
      .join(" ".repeat(GAP))
      .trimEnd(),
  );
  return lines.map((line) => `${line}\n`).join("");
}

/** Shortens the widest columns first. */
function shrink(widths: number[], available: number): void {
  for (;;) {
    const over = widths.reduce((sum, w) => sum + w + GAP, -GAP) - available;
    const widest = Math.max(...widths);
    if (over <= 0 || widest <= MIN_CUT) return;
    const next = Math.max(MIN_CUT, ...widths.filter((w) => w < widest));
    const column = widths.indexOf(widest);
    widths[column] = Math.max(widest - over, Math.min(next, widest - 1));
  }
}

/** The number of columns that the text takes on a terminal. */
function columnsOf(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  stringWidth ??= loadStringWidth();
  return stringWidth(text);
}

/** Loaded on demand: its Unicode tables load slowly, and plain ASCII does not need them. */
let stringWidth: ((text: string) => number) | undefined;

function loadStringWidth(): (text: string) => number {
  return createRequire(import.meta.url)("string-width").default;
}

function cut(text: string, width: number): string {
  if (columnsOf(text) <= width) return text;
  let kept = "";
  let used = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    used += columnsOf(segment);
    if (used > width - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}

/** The largest width of a table: that of the terminal; undefined without a terminal: no limit. */
export function tableWidth({ stderr }: { stderr: Output }): number | undefined {
  return stderr.isTTY ? stderr.columns : undefined;
}

const SIZES = ["bytes", "kB", "MB", "GB", "TB"];

/** For example "12.6 MB", in powers of 1000. */
export function bytesText(bytes: number): string {
  const power = Math.min(SIZES.length - 1, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  const digits = value < 10 ? 2 : value < 100 ? 1 : 0;
  return `${power === 0 ? value : value.toFixed(digits)} ${SIZES[power]}`;
}

/** For example "3,148,545". */
export function countText(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : many}`;
}

/** For example "distillgan + hifigan_v2". A null is left out. */
export function generationText(
  generation: GenerationName | null,
  vocoder: VocoderInfo | null,
): string {
  const parts = [generation, vocoder && printable(vocoder.type)];
  return parts.filter((part) => part !== null).join(" + ");
}

/** An ISO date as "2025-01-31 12:30". Other text stays as it is. */
export function dateText(date: string): string {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(date)
    ? date.slice(0, 16).replace("T", " ")
    : printable(date);
}

export function secondsText(seconds: number): string {
  if (seconds < 120) return `${+seconds.toFixed(1)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${+(seconds / 3600).toFixed(1)} h`;
}
