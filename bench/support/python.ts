/** The Python that peers run in: SDA_PYTHON, or python3 or python on the PATH, if it has torch. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export function findPython(): string | null {
  const names = [process.env["SDA_PYTHON"], "python3", "python"];
  const asks = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)";
  return names.find((name) => name && spawnSync(name, ["-c", asks]).status === 0) ?? null;
}

export interface About {
  /** Of Python and of the packages that the peer uses */
  versions: Record<string, string>;
  /** Works that it can't do, and why */
  missing: Record<string, string>;
}

/** A script of bench/peers that stays and measures what it is asked to, so that both sides can take turns. */
export class Peer {
  readonly #process: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  readonly #script: string;

  constructor(command: string, script: string, args: string[]) {
    const file = fileURLToPath(new URL(`../peers/${script}`, import.meta.url));
    this.#script = script;
    this.#process = spawn(command, [file, ...args], { stdio: ["pipe", "pipe", "inherit"] });
    if (this.#process.stdout === null) throw new Error(`${script}: no output`);
    this.#process.stdin?.on("error", () => {}); // it has ended, which the missing answer tells
    this.#answers = createInterface(this.#process.stdout)[Symbol.asyncIterator]();
  }

  about(): Promise<About> {
    return this.#ask({ ask: "about" });
  }

  /** Milliseconds of each of `runs`, after `warmUp` milliseconds of runs that don't count. */
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
