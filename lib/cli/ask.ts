import { createInterface } from "node:readline/promises";
import { Interrupted, type Io } from "./io.js";

/** Asks a yes-or-no question on the terminal. @returns null: there is no terminal */
export async function confirm(question: string, io: Io): Promise<boolean | null> {
  const { stdin } = io;
  if (!stdin || !io.stderr.isTTY) return null;
  const reader = createInterface({ input: stdin, output: io.stderr as NodeJS.WritableStream });
  try {
    const answer = new Promise<string>((answered, failed) => {
      // While readline reads the terminal, Ctrl-C is an event and not a signal; Ctrl-D closes it.
      reader.once("SIGINT", () => {
        io.stderr.write("\n");
        failed(new Interrupted("SIGINT"));
      });
      reader.once("close", () => {
        io.stderr.write("\n"); // the next message starts a new line
        answered("");
      });
      reader
        .question(`${question} [y/N] `, { signal: io.signal })
        .then(answered, () => failed(io.signal.reason));
    });
    return /^\s*y(es)?\s*$/i.test(await answer);
  } finally {
    reader.removeAllListeners("close");
    reader.close();
  }
}
