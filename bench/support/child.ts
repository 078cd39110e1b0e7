import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** A child process that answers questions by messages, one at a time. */
export class Child {
  readonly #process: ChildProcess;

  /** @param script file name in bench/ */
  constructor(script: string, args: readonly string[]) {
    const path = fileURLToPath(new URL(`../${script}`, import.meta.url));
    this.#process = spawn(process.execPath, [path, ...args], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
  }

  /** @throws Error when the process ends before it answers */
  async ask(question: object): Promise<unknown> {
    const gone = new AbortController();
    const { signal } = gone;
    const ended = once(this.#process, "exit", { signal }).then(([code, by]) => {
      throw new Error(`${this.#process.spawnargs[1]} ended: ${code ?? by}`);
    });
    ended.catch(() => {}); // the race below reports the rejection
    try {
      this.#process.send(question);
      const [answer] = await Promise.race([once(this.#process, "message", { signal }), ended]);
      return answer;
    } finally {
      gone.abort();
    }
  }

  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.disconnect();
    await ended;
  }
}
