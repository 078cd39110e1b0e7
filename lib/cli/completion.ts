import { Argument, type Command } from "commander";
import type { Io } from "./io.js";

const SHELLS = ["bash", "zsh", "fish", "pwsh"] as const;
/** The hidden command that the completion scripts call. */
const SERVER = "completion-server";

const EXAMPLES = `
Examples:
  source <(sda completion bash)        in ~/.bashrc
  source <(sda completion zsh)         in ~/.zshrc
  sda completion fish > ~/.config/fish/completions/sda.fish
  sda completion pwsh >> $PROFILE`;

/** Names of arguments that take a model. */
const MODEL_ARGUMENTS = new Set(["ref"]);
/** The largest number of models to offer. */
const MOST_MODELS = 500;

interface Candidate {
  name: string;
  description: string;
}

export function addCompletionCommands(program: Command, io: Io): void {
  program
    .command("completion")
    .summary("print a script for tab completion in a shell")
    .description("Print a script that makes a shell complete sda's commands, options and models.")
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .addHelpText("after", EXAMPLES)
    .action(async (shell: (typeof SHELLS)[number]) => {
      const { getCompletionScript } = (await import("@pnpm/tabtab")).default;
      io.stdout.write(await getCompletionScript({ name: "sda", completer: "sda", shell }));
    });
  program
    .command(SERVER, { hidden: true })
    .argument("[words...]")
    .allowUnknownOption()
    .action(async (words: string[]) => {
      const { getShellFromEnv, log, logFiles } = (await import("@pnpm/tabtab")).default;
      const shell = getShellFromEnv(process.env);
      const at = Number(process.env["COMP_CWORD"] ?? words.length - 1);
      const found = await candidates(program, words.slice(1, at), words[at] ?? "");
      const write = (line: string) => io.stdout.write(`${line}\n`);
      if (found !== FILES) log(found, shell, write);
      // Without candidates, bash completes file names by itself.
      else if (shell !== "bash") logFiles();
    });
}

/** Tells the shell to complete file names. */
const FILES = "files";

/**
 * The words that may complete `current`.
 *
 * @param before the words between "sda" and `current`
 * @param current the word that is being typed
 */
export async function candidates(
  program: Command,
  before: readonly string[],
  current: string,
): Promise<Candidate[] | typeof FILES> {
  const { command, positionals, waiting } = walk(program, before);
  if (waiting) {
    const choices = waiting.argChoices;
    return choices ? choices.map((name) => ({ name, description: "" })) : FILES;
  }
  if (current.startsWith("-")) {
    return command
      .createHelp()
      .visibleOptions(command)
      .map(({ long, short, description }) => ({ name: long ?? short ?? "", description }));
  }
  const commands = command.createHelp().visibleCommands(command);
  if (commands.length > 0) {
    return commands.map((c) => ({ name: c.name(), description: c.summary() || c.description() }));
  }
  const argument = command.registeredArguments[positionals];
  if (!argument) return [];
  if (argument.argChoices) {
    return argument.argChoices.map((name) => ({ name, description: "" }));
  }
  if (!MODEL_ARGUMENTS.has(argument.name()) || /[/\\]/.test(current)) return FILES;
  const models = await modelNames(modelsDir(command, before));
  return models.length === 0 ? FILES : models;
}

/**
 * Parses the typed words: the command that they name, the number of its arguments so far, and the
 * option that waits for its value.
 */
function walk(program: Command, words: readonly string[]) {
  let command = program;
  let positionals = 0;
  let waiting: Command["options"][number] | undefined;
  for (const word of words) {
    if (waiting) {
      waiting = undefined;
    } else if (word.startsWith("-")) {
      const option = command.options.find((o) => word === o.short || word.split("=")[0] === o.long);
      waiting = option?.required && !word.includes("=") ? option : undefined;
    } else {
      const next = command.commands.find((c) => c.name() === word);
      if (next) command = next;
      else positionals++;
    }
  }
  return { command, positionals, waiting };
}

function modelsDir(command: Command, words: readonly string[]): string {
  const joined = words.findLast((word) => word.startsWith("--models-dir="));
  if (joined) return joined.slice(joined.indexOf("=") + 1);
  const named = words[words.indexOf("--models-dir") + 1];
  return words.includes("--models-dir") && named ? named : command.getOptionValue("modelsDir");
}

/** The names of the library's models. A name that a shell would split is offered as its id. */
async function modelNames(folder: string): Promise<Candidate[]> {
  const { ModelLibrary } = await import("../library/model-library.js");
  const library = await ModelLibrary.open(folder).catch(() => null);
  const entries = library?.listAll({ sortBy: "name", reverse: false }).slice(0, MOST_MODELS) ?? [];
  return entries.map(({ modelId, name }) =>
    /^[\w.,+@%][\w.,+@%-]*$/.test(name)
      ? { name, description: "" }
      : { name: modelId, description: name.replace(/\p{Cc}/gu, " ") },
  );
}
