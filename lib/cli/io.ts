import { inspect } from "node:util";
import { CommanderError } from "commander";
import { SdaError, type SdaErrorCode } from "../errors.js";

export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 2;

/** What a command may touch of the process. Results for programs go to stdout, everything for people to stderr. */
export interface Io {
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown; isTTY?: boolean };
  /** Aborted by Ctrl-C; its reason is a `Interrupted` */
  signal: AbortSignal;
}

export class Interrupted extends Error {
  readonly exitCode: number;

  /** By shells' custom, the exit code is 128 plus the signal's number. */
  constructor(signal: "SIGINT" | "SIGTERM") {
    super(`interrupted (${signal})`);
    this.exitCode = signal === "SIGINT" ? 130 : 143;
  }
}

const USAGE_CODES: SdaErrorCode[] = ["ERR_SDA_ARGUMENT", "ERR_SDA_NOT_FOUND"];

/** Tells of an error in one line (with its stack when `debug`) and returns the exit code. */
export function reportError(error: unknown, io: Io, debug: boolean): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE; // it has told already
  if (debug) {
    io.stderr.write(`${inspect(error)}\n`);
  } else if (error instanceof SdaError) {
    io.stderr.write(`error: ${error.message} (${error.code})\n`);
  } else {
    io.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  }
  if (error instanceof Interrupted) return error.exitCode;
  return error instanceof SdaError && USAGE_CODES.includes(error.code) ? EXIT_USAGE : EXIT_FAILURE;
}

/** JSON has no infinities and no NaN: they are written as strings, as in "Infinity". */
export function writeJson(io: Io, value: unknown): void {
  const text = JSON.stringify(
    value,
    (_, item) =>
      (typeof item === "number" && !Number.isFinite(item)) || typeof item === "bigint"
        ? String(item)
        : item,
    2,
  );
  io.stdout.write(`${text}\n`);
}

/** Columns padded to their widest cell; numbers to the right. */
export function table(rows: (string | number)[][]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, String(cell).length);
    });
  }
  return rows
    .map((row) =>
      row
        .map((cell, i) =>
          typeof cell === "number"
            ? String(cell).padStart(widths[i] as number)
            : cell.padEnd(widths[i] as number),
        )
        .join("  ")
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join("");
}

/**
 * Text from a file, safe to print: control characters, which could move a terminal's cursor or change its title,
 * show as escapes.
 */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
