import { createInterface } from "node:readline/promises";
import { SdaError } from "../base/errors.js";
import { Failed, Interrupted, type Io } from "./io.js";

/** Asks a yes-or-no question on the terminal. @returns null: there is no terminal */
async function confirm(question: string, io: Io): Promise<boolean | null> {
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

/**
 * Asks before something is deleted.
 *
 * @param what as in "Delete <what>?"
 * @throws SdaError ERR_SDA_ARGUMENT: there is no terminal to ask on; Failed: the answer is no
 */
export async function confirmDeletion(
  what: string,
  { force }: { force?: boolean },
  io: Io,
): Promise<void> {
  if (force) return;
  const sure = await confirm(`Delete ${what}?`, io);
  if (sure === null) {
    const problem = "no terminal to ask on; use --force to delete without asking";
    throw new SdaError("ERR_SDA_ARGUMENT", problem, { option: "--force" });
  }
  if (sure) return;
  io.stderr.write("Nothing was deleted.\n");
  throw new Failed();
}
