/** Finds a Python for the peers and runs them. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** Modules that the peers import. */
const MODULES = ["torch", "numpy", "scipy"];

const missingOf = (modules: readonly string[]) => `import importlib.util as u
print(*[m for m in ${JSON.stringify(modules)} if getattr(u.find_spec(m), 'origin', None) is None])`;

export type FoundPython = { command: string } | { command: null; why: string };

/** The first Python with all these modules: only SDA_PYTHON if set, otherwise python3 or python. */
export function findPython(
  env: NodeJS.ProcessEnv = process.env,
  modules: readonly string[] = MODULES,
): FoundPython {
  const named = env["SDA_PYTHON"];
  const problems: string[] = [];
  for (const command of named ? [named] : ["python3", "python"]) {
    const problem = problemOf(command, env, modules);
    if (problem === null) return { command };
    problems.push(`${command} ${problem}`);
  }
  const where = named ? "SDA_PYTHON: " : "SDA_PYTHON names one; ";
  return { command: null, why: `No comparison with Python (${where}${problems.join(", ")})` };
}

function problemOf(
  command: string,
  env: NodeJS.ProcessEnv,
  modules: readonly string[],
): string | null {
  const options = { encoding: "utf8", env } as const;
  const { error, status, stdout } = spawnSync(command, ["-c", missingOf(modules)], options);
  if (error) return "cannot be started";
  if (status !== 0) return "is no working Python";
  const lacks = stdout.trim().split(/\s+/).filter(Boolean);
  return lacks.length > 0 ? `has no ${lacks.join(" and no ")}` : null;
}

export interface About {
  /** Versions of Python and of the packages that the peer uses */
  versions: Record<string, string>;
  /** Works that this peer cannot do, with the reason */
  missing: Record<string, string>;
}

/** A running script of bench/peers. It measures on request, so that both sides can take turns. */
export class Peer {
  readonly #process: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  readonly #script: string;

  constructor(command: string, script: string, args: string[]) {
    const file = fileURLToPath(new URL(`../peers/${script}`, import.meta.url));
    this.#script = script;
    this.#process = spawn(command, [file, ...args], { stdio: ["pipe", "pipe", "inherit"] });
    if (this.#process.stdout === null) throw new Error(`${script}: no output`);
    this.#process.stdin?.on("error", () => {}); // #ask reports a peer that has ended
    this.#answers = createInterface(this.#process.stdout)[Symbol.asyncIterator]();
  }

  about(): Promise<About> {
    return this.#ask({ ask: "about" });
  }

  /** Milliseconds of each of `runs` runs, after warming up for `warmUp` milliseconds. */
  measure(work: string, warmUp: number, runs: number): Promise<number[]> {
    return this.#ask({ work, warm_up: warmUp, runs });
  }

  close(): void {
    this.#process.stdin?.end();
  }

  async #ask<T>(request: object): Promise<T> {
    this.#process.stdin?.write(`${JSON.stringify(request)}\n`);
    const answer = await this.#answers.next();
    if (answer.done) throw new Error(`${this.#script} ended without an answer`);
    return JSON.parse(answer.value) as T;
  }
}
