import { createInterface } from "node:readline/promises";
import { Interrupted, type Io } from "./io.js";

/** Whether a person says yes; null when there is nobody to ask. */
export async function confirm(question: string, io: Io): Promise<boolean | null> {
  const { stdin } = io;
  if (!stdin || !io.stderr.isTTY) return null;
  const reader = createInterface({ input: stdin, output: io.stderr as NodeJS.WritableStream });
  try {
    const answer = new Promise<string>((answered, failed) => {
      // A terminal that is read from sends Ctrl-C as a key, and Ctrl-D as its end.
      reader.once("SIGINT", () => {
        io.stderr.write("\n");
        failed(new Interrupted("SIGINT"));
      });
      reader.once("close", () => {
        io.stderr.write("\n"); // what follows is to begin a line
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
