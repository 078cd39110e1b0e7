import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { packageRoot } from "../native/package-root.js";
import { addBenchCommand } from "./bench.js";
import { addDoctorCommand } from "./doctor.js";
import { addGenerateCommand } from "./generate.js";
import { addInspectCommand } from "./inspect.js";
import { type Io, reportError } from "./io.js";

/**
 * Runs one command line.
 *
 * @param args without "node" and the script
 * @returns the exit code: 0, 1 failure, 2 usage or not found, 130 interrupted
 */
export async function run(args: string[], io: Io): Promise<number> {
  let exitCode = 0;
  const program = new Command("sda")
    .description("Play Small DataSet Audio models, and look into their files.")
    .version(JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")).version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
    });
  addGenerateCommand(program, io);
  addInspectCommand(program, io);
  addBenchCommand(program, io);
  addDoctorCommand(program, io, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    return reportError(error, io, args.includes("--debug"));
  }
}
