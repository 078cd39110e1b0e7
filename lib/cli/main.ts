#!/usr/bin/env node
import { Interrupted } from "./io.js";
import { run } from "./program.js";

const controller = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  // Once: a second Ctrl-C ends the process at once, for whoever can't wait.
  process.once(signal, () => controller.abort(new Interrupted(signal)));
}
process.exitCode = await run(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  signal: controller.signal,
});
