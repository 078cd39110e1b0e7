/** Reads the tables of a document. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const fixture = (name: string) => join(root, "test/fixtures", name);

export function readText(name: string): string {
  return readFileSync(join(root, name), "utf8");
}

/**
 * The cells of the first table after a heading. The table must begin with `start`. Backticks around
 * a cell are removed.
 */
export function readTable(text: string, heading: string, start = ""): string[][] {
  const section = text.slice(text.indexOf(`\n${heading}\n`) + 1);
  const tables = [...section.matchAll(/(?:^\|.*\n)+/gm)].map(([found]) => found);
  const found = tables.find((table) => table.startsWith(`| ${start}`));
  const rows = found?.trim().split("\n").slice(2) ?? [];
  return rows.map((row) =>
    row
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim().replace(/^`([^`]*)`$/, "$1")),
  );
}

const format = readText("doc/sda-format.md");

/** A table of doc/sda-format.md. */
export function table(heading: string, start?: string): string[][] {
  return readTable(format, heading, start);
}

export interface Opcode {
  name: string;
  byte: number;
  argument: string;
  /** In no `data.pkl` of the Python program */
  rare: boolean;
}

function opcodes(heading: string): Opcode[] {
  return table(heading).map(([name = "", byte = "", argument = ""]) => ({
    name: name.replace(/[`* ]/g, ""),
    byte: Number.parseInt(byte, 16),
    argument,
    rare: name.endsWith("*"),
  }));
}

export const WRITTEN = opcodes("### Opcodes that are written");
export const READ = opcodes("### Opcodes that are read as well");
export const REFUSED = opcodes("### Opcodes that are refused");
export const GLOBALS = "### Globals and their arguments";
