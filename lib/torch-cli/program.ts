/** The command of the package torch-checkpoint. */
import { Command } from "commander";
import { type Io, reportError } from "../cli/io.js";
import { addScanCommand } from "../cli/scan.js";
import { packageManifest } from "../native/package-root.js";
import { addCatCommand } from "./cat.js";
import { addConvertCommand } from "./convert.js";
import { addLsCommand } from "./ls.js";

/**
 * Runs one command line.
 *
 * @param args without "node" and the script
 * @returns the exit code: 0 success, 1 failure, 2 wrong usage or not found, 128 + n after signal n
 */
export async function run(args: string[], io: Io): Promise<number> {
  const program = new Command("torch-checkpoint")
    .description("Look into PyTorch checkpoints, convert them, and judge whether they are safe.")
    .version(packageManifest().version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
    });
  for (const add of [addLsCommand, addCatCommand, addConvertCommand, addScanCommand]) {
    add(program, io);
  }
  try {
    await program.parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    return reportError(error, io, args.includes("--debug"));
  }
}
