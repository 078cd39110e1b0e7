import { Command } from "commander";
import { packageManifest } from "../native/package-root.js";
import { type Io, reportError } from "./io.js";
import { dataDirOption } from "./options.js";

type Add = (program: Command, io: Io, args: string[]) => void | Promise<void>;

/** Only the requested command is loaded, so that a list of models does not wait for the engine. */
const COMMANDS: Record<string, () => Promise<Add>> = {
  model: async () => (await import("./model.js")).addModelCommand,
  preset: async () => (await import("./preset.js")).addPresetCommand,
  history: async () => (await import("./history.js")).addHistoryCommand,
  generate: async () => (await import("./generate.js")).addGenerateCommand,
  convert: async () => (await import("./convert.js")).addConvertCommand,
  reproduce: async () => (await import("./reproduce.js")).addReproduceCommand,
  serve: async () => (await import("./serve.js")).addServeCommand,
  inspect: async () => (await import("./inspect.js")).addInspectCommand,
  scan: async () => (await import("./scan.js")).addScanCommand,
  bench: async () => (await import("./bench.js")).addBenchCommand,
  doctor: async () => (await import("./doctor.js")).addDoctorCommand,
  completion: async () => (await import("./completion.js")).addCompletionCommands,
};

/** Completion needs all commands. */
const NEEDS_ALL = new Set(["completion", "completion-server"]);

/**
 * Runs one command line.
 *
 * @param args without "node" and the script
 * @returns the exit code: 0 success, 1 failure, 2 wrong usage or not found, 128 + n after signal n
 */
export async function run(args: string[], io: Io): Promise<number> {
  try {
    const program = await makeProgram(args, io);
    await program.parseAsync(args, { from: "user" });
    return 0; // also after a Ctrl-C that came too late to stop the command
  } catch (error) {
    return reportError(error, io, args.includes("--debug"));
  }
}

async function makeProgram(args: string[], io: Io): Promise<Command> {
  const program = new Command("sda")
    .description(
      "Make sound with Small DataSet Audio models, manage libraries of them, and inspect files.",
    )
    .version(packageManifest().version)
    .addOption(dataDirOption())
    .enablePositionalOptions() // a --data-dir after the command is the command's
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
    });
  const words = withoutDataDir(args);
  const [name = ""] = words;
  const only = Object.hasOwn(COMMANDS, name) && !NEEDS_ALL.has(name) ? COMMANDS[name] : undefined;
  for (const load of only ? [only] : Object.values(COMMANDS)) {
    await (await load())(program, io, words);
  }
  return program;
}

/** The command line from the command's name on. */
function withoutDataDir(args: string[]): string[] {
  const [first] = args;
  if (first === "--data-dir") return args.slice(2);
  return first?.startsWith("--data-dir=") ? args.slice(1) : args;
}
