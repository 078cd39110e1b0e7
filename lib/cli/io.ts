import { inspect } from "node:util";
import { CommanderError } from "commander";
import { SdaError, type SdaErrorCode } from "../base/errors.js";
import { isError } from "../base/realm.js";
import type { Output } from "./output.js";
import { printableLines } from "./text.js";

export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 2;

/**
 * The parts of the process that a command uses. Results for programs go to stdout, text for people
 * goes to stderr.
 */
export interface Io {
  stdout: Output;
  stderr: Output;
  /** The terminal that a person answers on; undefined: there is no terminal */
  stdin?: NodeJS.ReadStream;
  /** Aborted by Ctrl-C; its reason is a `Stopped` */
  signal: AbortSignal;
}

/**
 * Ends a command because of a signal or a closed output. The exit code is 128 plus the signal's
 * number, as in shells.
 */
export class Stopped extends Error {
  readonly exitCode: number;

  constructor(message: string, signalNumber: number) {
    super(message);
    this.exitCode = 128 + signalNumber;
  }
}

/** The signals that stop a command cleanly, with their numbers. */
export const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

export class Interrupted extends Stopped {
  constructor(signal: keyof typeof SIGNALS) {
    super(`interrupted (${signal})`, SIGNALS[signal]);
  }
}

/** Ends a command that has already reported its failure. */
export class Failed extends Error {
  readonly exitCode: number;

  constructor(exitCode = EXIT_FAILURE) {
    super("failed");
    this.exitCode = exitCode;
  }
}

const USAGE_CODES: SdaErrorCode[] = ["ERR_SDA_ARGUMENT", "ERR_SDA_NOT_FOUND"];

/**
 * Prints an error, without its stack unless `debug` is true.
 *
 * @returns the exit code
 */
export function reportError(error: unknown, io: Io, debug: boolean): number {
  // Commander has printed its own errors already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  if (error instanceof Failed) return error.exitCode;
  if (debug) {
    io.stderr.write(`${inspect(error)}\n`);
  } else if (error instanceof SdaError) {
    const text = printableLines(`${aboutFile(error)}${error.message}`);
    const [first, ...more] = text.split("\n");
    io.stderr.write(`error: ${[`${first} (${error.code})`, ...more].join("\n")}\n`);
  } else {
    const text = isError(error) ? error.message : String(error);
    io.stderr.write(`error: ${printableLines(text)}\n`);
  }
  if (error instanceof Stopped) return error.exitCode;
  return error instanceof SdaError && USAGE_CODES.includes(error.code) ? EXIT_USAGE : EXIT_FAILURE;
}

/** The path of the error's file, if the message lacks it. */
function aboutFile({ message, details }: SdaError): string {
  const path = details?.["path"];
  return typeof path === "string" && !message.includes(path) ? `${path}: ` : "";
}

/** Prints a value as JSON. NaN, infinities and bigints become strings, for example "Infinity". */
export function writeJson(io: Io, value: unknown): void {
  io.stdout.write(jsonText(value));
}

/** The line breaks and the numbers of `writeJson`. */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(
    value,
    (_, item) =>
      (typeof item === "number" && !Number.isFinite(item)) || typeof item === "bigint"
        ? String(item)
        : item,
    2,
  );
  return `${text}\n`;
}
