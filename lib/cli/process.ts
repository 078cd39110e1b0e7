import { fstatSync, writeSync } from "node:fs";
import { Interrupted, type Io, SIGNALS, Stopped } from "./io.js";
import type { Output } from "./output.js";
import { printableLines } from "./text.js";

const SIGPIPE = 13;

/**
 * Runs a command line as this process: signals abort it, a closed pipe ends it without an error,
 * and its result is the exit code.
 *
 * @param run gets the arguments without "node" and the script
 */
export async function runProcess(run: (args: string[], io: Io) => Promise<number>): Promise<void> {
  const controller = new AbortController();
  for (const signal of Object.keys(SIGNALS) as (keyof typeof SIGNALS)[]) {
    // Only the first signal stops the command cleanly: a second Ctrl-C ends the process at once.
    process.once(signal, () => controller.abort(new Interrupted(signal)));
  }

  /**
   * Exit code of a failed write to stdout or stderr, which may be reported after the command's end.
   */
  let outputFailed: number | undefined;
  for (const [name, stream] of [
    ["stdout", process.stdout],
    ["stderr", process.stderr],
  ] as const) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (outputFailed !== undefined) return;
      if (error.code === "EPIPE") {
        // The reader of the pipe has ended, as `head` does: print no error.
        const closed = new Stopped(`${name} was closed`, SIGPIPE);
        outputFailed = closed.exitCode;
        controller.abort(closed);
      } else {
        outputFailed = 1;
        if (name === "stdout") process.stderr.write(`error: stdout: ${error.message}\n`);
      }
      process.exitCode = outputFailed;
    });
  }

  // Node's own listener adds the process id and advice for programmers.
  process.removeAllListeners("warning");
  process.on("warning", ({ name, message, detail }: Error & { detail?: string }) => {
    const more = detail && name === "SdaWarning" ? `\n  ${detail.replaceAll("\n", "\n  ")}` : "";
    process.stderr.write(`warning: ${printableLines(`${message}${more}`)}\n`);
  });

  const exitCode = await run(process.argv.slice(2), {
    stdout: output(process.stdout),
    stderr: output(process.stderr),
    ...(process.stdin.isTTY && { stdin: process.stdin }),
    signal: controller.signal,
  });
  process.exitCode = outputFailed ?? exitCode;
}

/**
 * For a file, writes until all bytes are written or an error occurs. Node's stream for a file
 * ignores partial writes, which happen when the disk gets full.
 */
function output(stream: NodeJS.WriteStream & { fd: number }): Output {
  if (!isFile(stream.fd)) return stream;
  return {
    write(text) {
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length; ) at += writeSync(stream.fd, bytes, at);
    },
  };
}

function isFile(descriptor: number): boolean {
  try {
    // With numbers instead of bigints, Node 20 keeps the kind of this file in memory that a later
    // `realpathSync` reads: it then takes a symbolic link for a pipe, and imports through the links
    // of pnpm fail.
    return fstatSync(descriptor, { bigint: true }).isFile();
  } catch {
    return false; // the descriptor is closed
  }
}
