/**
 * Runs examples, one after the other in one process, because the start of a process takes longer
 * than most examples. Each example has a copy of the first folder as its working directory.
 *
 * Arguments: the folder to copy, then the examples' files. For each example it writes a line of
 * JSON: `error`, null when the example ran to its end, and `printed`, the first text that each line
 * of code logged.
 */
import { cpSync } from "node:fs";
import { basename } from "node:path";
import { format, inspect } from "node:util";

const [template, ...files] = process.argv.slice(2);

for (const file of files) {
  const folder = file.replace(/\.mjs$/, "");
  cpSync(template, folder, { recursive: true });
  process.chdir(folder);
  const printed = {};
  console.log = (...values) => {
    const [, calls = ""] = new Error().stack.split(`/${basename(file)}:`);
    printed[Number.parseInt(calls, 10)] ??= format(...values);
  };
  let error = null;
  try {
    await import(file);
  } catch (thrown) {
    error = inspect(thrown);
  }
  process.stdout.write(`${JSON.stringify({ error, printed })}\n`);
}
