/** Text for people: what files say made safe to print, columns, sizes, dates, colours. */
import { createRequire } from "node:module";
import pc from "picocolors";
import type { Output } from "./output.js";

/**
 * Text from a file, safe to print: control characters, which could move a terminal's cursor or change its title, and those
 * that reverse the direction of text show as escapes.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (c) => (KEPT.has(c) ? c : escaped(c)));
}

/** The same for text of several lines. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

/** Joins emoji to one: a family, a flag with a rainbow. */
const KEPT = new Set(["\u200d"]);

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const hex = code.toString(16).padStart(4, "0");
  return code > 0xffff ? `\\u{${hex}}` : `\\u${hex}`;
}

/** Colours for a terminal that has them and a person who wants them (NO_COLOR, FORCE_COLOR). */
export function colors(output: Output): ReturnType<typeof pc.createColors> {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (NO_COLOR) return pc.createColors(false);
  if (FORCE_COLOR) return pc.createColors(FORCE_COLOR !== "0");
  return pc.createColors(output.isTTY === true && TERM !== "dumb");
}

/** Spaces between columns */
const GAP = 2;
const MIN_CUT = 8;

export interface TableOptions {
  /** Cut the text of long columns until a line fits, in a terminal's columns */
  width?: number | undefined;
}

/** Columns padded to their widest cell, numbers to the right. The first row is the heading. */
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

function columnsOf(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  stringWidth ??= loadStringWidth();
  return stringWidth(text);
}

/** It takes a while to load, for its tables of Unicode, and most lists do without. */
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

/** How wide a table may be: a terminal's columns; without one, as wide as it needs. */
export function tableWidth({ stderr }: { stderr: Output }): number | undefined {
  return stderr.isTTY ? stderr.columns : undefined;
}

const SIZES = ["bytes", "kB", "MB", "GB", "TB"];

/** 12.6 MB; by powers of 1000, as disks and file managers count */
export function bytesText(bytes: number): string {
  const power = Math.min(SIZES.length - 1, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 ? value : value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${SIZES[power]}`;
}

/** 3,148,545 */
export function countText(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : many}`;
}

/** Day and time of an ISO date, without its fractions of a second; other text as it is. */
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
