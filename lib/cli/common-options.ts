import type { Command } from "commander";

/** Adds --json and --debug, which every command has. */
export function addCommonOptions(command: Command): Command {
  return command
    .option("--json", "print the result as JSON on stdout")
    .option("--debug", "print the stack trace of an error");
}
