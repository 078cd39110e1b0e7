/** The Python that peers run in: SDA_PYTHON, or python3 or python on the PATH, if it has torch. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";

export const python: string | null = findPython();

function findPython(): string | null {
  const names = [process.env["SDA_PYTHON"], "python3", "python"];
  const asks = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)";
  return names.find((name) => name && spawnSync(name, ["-c", asks]).status === 0) ?? null;
}

/** A script of bench/peers that stays and measures what it is asked to, so that both sides can take turns. */
export class Peer {
  readonly #process: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  readonly #script: string;

  constructor(command: string, script: string, args: string[]) {
    const file = new URL(`../peers/${script}`, import.meta.url).pathname;
    this.#script = script;
    this.#process = spawn(command, [file, ...args], { stdio: ["pipe", "pipe", "inherit"] });
    if (this.#process.stdout === null) throw new Error(`${script}: no output`);
    this.#answers = createInterface(this.#process.stdout)[Symbol.asyncIterator]();
  }

  /** Milliseconds of each of `runs`, after `warmUp` milliseconds of runs that don't count. */
  async measure(work: string, warmUp: number, runs: number): Promise<number[]> {
    this.#process.stdin?.write(`${JSON.stringify({ work, warm_up: warmUp, runs })}\n`);
    const answer = await this.#answers.next();
    if (answer.done) throw new Error(`${this.#script} ended`);
    return JSON.parse(answer.value) as number[];
  }

  close(): void {
    this.#process.stdin?.end();
  }
}
