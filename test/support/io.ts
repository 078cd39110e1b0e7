import type { Io } from "../../lib/cli/io.js";

/** An Io that collects what is written to it. */
export function keepingIo(signal: AbortSignal = new AbortController().signal) {
  const kept = { stdout: "", stderr: "" };
  const io: Io = {
    stdout: {
      write: (text) => {
        kept.stdout += text;
      },
    },
    stderr: {
      write: (text) => {
        kept.stderr += text;
      },
    },
    signal,
  };
  return { io, kept };
}
