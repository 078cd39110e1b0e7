import { inspect } from "node:util";
import { CommanderError } from "commander";
import { SdaError, type SdaErrorCode } from "../base/errors.js";
import type { Output } from "./output.js";
import { printableLines } from "./text.js";

export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 2;

/** What a command may touch of the process. Results for programs go to stdout, everything for people to stderr. */
export interface Io {
  stdout: Output;
  stderr: Output;
  /** Where a person's answers come from; undefined: there is nobody to ask */
  stdin?: NodeJS.ReadStream;
  /** Aborted by Ctrl-C; its reason is a `Stopped` */
  signal: AbortSignal;
}

/** The end of a command that is no error of its own; by shells' custom, the exit code is 128 plus a signal's number. */
export class Stopped extends Error {
  readonly exitCode: number;

  constructor(message: string, signalNumber: number) {
    super(message);
    this.exitCode = 128 + signalNumber;
  }
}

/** Those that end a command in good order, with their numbers. */
export const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

export class Interrupted extends Stopped {
  constructor(signal: keyof typeof SIGNALS) {
    super(`interrupted (${signal})`, SIGNALS[signal]);
  }
}

/** A command that has told what is wrong, and now only ends. */
export class Failed extends Error {}

const USAGE_CODES: SdaErrorCode[] = ["ERR_SDA_ARGUMENT", "ERR_SDA_NOT_FOUND"];

/** Tells of an error in one line (with its stack when `debug`) and returns the exit code. */
export function reportError(error: unknown, io: Io, debug: boolean): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE; // it has told already
  if (error instanceof Failed) return EXIT_FAILURE;
  if (debug) {
    io.stderr.write(`${inspect(error)}\n`);
  } else if (error instanceof SdaError) {
    const text = printableLines(`${aboutFile(error)}${error.message}`);
    const [first, ...more] = text.split("\n");
    io.stderr.write(`error: ${[`${first} (${error.code})`, ...more].join("\n")}\n`);
  } else {
    const text = error instanceof Error ? error.message : String(error);
    io.stderr.write(`error: ${printableLines(text)}\n`);
  }
  if (error instanceof Stopped) return error.exitCode;
  return error instanceof SdaError && USAGE_CODES.includes(error.code) ? EXIT_USAGE : EXIT_FAILURE;
}

/** Which file it is about, where the message doesn't say so. */
function aboutFile({ message, details }: SdaError): string {
  const path = details?.["path"];
  return typeof path === "string" && !message.includes(path) ? `${path}: ` : "";
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
