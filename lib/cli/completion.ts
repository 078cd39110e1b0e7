import { Argument, type Command } from "commander";
import type { Io } from "./io.js";
import { type FolderSettings, settleFolders } from "./options.js";

const SHELLS = ["bash", "zsh", "fish", "pwsh"] as const;
/** The hidden command that the completion scripts call. */
const SERVER = "completion-server";

const EXAMPLES = `
Examples:
  source <(sda completion bash)        in ~/.bashrc
  source <(sda completion zsh)         in ~/.zshrc
  sda completion fish > ~/.config/fish/completions/sda.fish
  sda completion pwsh >> $PROFILE`;

/** The largest number of names to offer. */
const MOST_NAMES = 500;

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
  const argument = command.registeredArguments[positionals.length];
  if (!argument) return [];
  if (argument.argChoices) {
    return argument.argChoices.map((name) => ({ name, description: "" }));
  }
  const list = Object.hasOwn(NAMES, argument.name()) ? NAMES[argument.name()] : undefined;
  if (!list || /[/\\]/.test(current)) return FILES;
  const found = await foldersIn(command, before)
    .then((folders) => list(folders, positionals[0] ?? ""))
    .catch(() => []); // there is nothing to offer from folders that can't be read
  return found.length === 0 ? FILES : found.slice(0, MOST_NAMES).map(asCandidate);
}

/**
 * Parses the typed words: the command that they name, its arguments so far, and the option that
 * waits for its value.
 */
function walk(program: Command, words: readonly string[]) {
  let command = program;
  const positionals: string[] = [];
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
      else positionals.push(word);
    }
  }
  return { command, positionals, waiting };
}

/** The command's folders, as the words before the cursor name them. */
async function foldersIn(command: Command, words: readonly string[]): Promise<FolderSettings> {
  for (const [option, key] of [
    ["--models-dir", "modelsDir"],
    ["--data-dir", "dataDir"],
  ] as const) {
    const joined = words.findLast((word) => word.startsWith(`${option}=`));
    const next = words.includes(option) ? words[words.indexOf(option) + 1] : undefined;
    const named = joined ? joined.slice(option.length + 1) : next;
    if (named) command.setOptionValueWithSource(key, named, "cli");
  }
  await settleFolders(command);
  return command.opts<FolderSettings>();
}

interface Named {
  id: string;
  name: string;
}

/** The names to offer for an argument. @param first the command's first argument */
const NAMES: Record<string, (folders: FolderSettings, first: string) => Promise<Named[]>> = {
  async ref({ modelsDir }) {
    const { ModelLibrary } = await import("../library/model-library.js");
    const library = await ModelLibrary.open(modelsDir);
    const entries = library.listAll({ sortBy: "name", reverse: false });
    return entries.map(({ modelId, name }) => ({ id: modelId, name }));
  },
  async preset(folders, ref) {
    const { openPresets } = await import("./preset-refs.js");
    const presets = (await openPresets(ref, folders)).list();
    return presets.map(({ presetId, name }) => ({ id: presetId, name }));
  },
  async sound(folders) {
    const { openHistory } = await import("./history-refs.js");
    const sounds = (await openHistory(folders)).list();
    return sounds.map(({ entryId, modelName, seed }) => ({
      id: entryId,
      name: `${modelName}, seed ${seed}`,
    }));
  },
};

/** A name that a shell would split is offered as its id. */
function asCandidate({ id, name }: Named): Candidate {
  return /^[\w.,+@%][\w.,+@%-]*$/.test(name)
    ? { name, description: "" }
    : { name: id, description: name.replace(/\p{Cc}/gu, " ") };
}
