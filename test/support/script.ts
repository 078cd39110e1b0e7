/** Runs short scripts on the compiled library in processes of their own. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { pathToFileURL } from "node:url";
import { compiled } from "./compiled.js";
import { needs } from "./needs.js";

interface ScriptOptions {
  /** A command that starts node, such as `setpriv` with its arguments */
  under?: readonly string[];
  env?: Record<string, string>;
}

/** `LIB` in a script is the URL of the compiled `lib/index.js`. */
function commandOf(script: string, under: readonly string[]): [string, string[]] {
  const lib = pathToFileURL(compiled("lib/index.js")).href;
  const text = `const LIB = ${JSON.stringify(lib)};\n${script}`;
  const all = [...under, process.execPath, "--no-warnings", "--input-type=module", "-e", text];
  return [all[0] as string, all.slice(1)];
}

/** @returns what the script prints, on stdout and stderr */
export function runScript(script: string, { under = [], env = {} }: ScriptOptions = {}): string {
  const options = { encoding: "utf8", env: { ...process.env, ...env } } as const;
  const { stdout, stderr } = spawnSync(...commandOf(script, under), options);
  return `${stdout}${stderr}`.trim();
}

/** Starts a script, whose stdout is a pipe. */
export function startScript(script: string): ChildProcess {
  return spawn(...commandOf(script, []), { stdio: ["ignore", "pipe", "inherit"] });
}

/** Whether commands that only root may run work here. */
export function canRun(what: string, command: string, ...args: string[]): boolean {
  const works = process.getuid?.() === 0 && spawnSync(command, args).status === 0;
  return needs(works, what);
}

/** Starts node as another user without any rights. */
export function asUser(uid: number, gid = uid): string[] {
  const groups = ["--reuid", `${uid}`, "--regid", `${uid}`, "--groups", `${gid}`];
  return ["setpriv", ...groups, "--inh-caps=-all", "--bounding-set=-all"];
}
