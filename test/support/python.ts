import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { findPython } from "../../bench/support/python.js";
import { needs } from "./needs.js";

/** A Python 3, whatever packages it has. */
export const python: string | null = findPython(process.env, []).command;

/** A Python with torch and numpy. */
export const torchPython: string | null = findPython(process.env, ["torch", "numpy"]).command;

needs(python !== null, "no Python 3 (SDA_PYTHON)");
needs(torchPython !== null, "no Python with torch and numpy (SDA_PYTHON)");

const UTF8 = ["-X", "utf8"];
const forkServer = fileURLToPath(new URL("../python/fork_server.py", import.meta.url));

/** Runs `python` and returns what it prints. */
export function runPython(args: string[], input = ""): string {
  const ended = spawnSync(python ?? "python3", [...UTF8, ...args], {
    input,
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  return outputOf(ended);
}

/**
 * Runs `torchPython` and returns what it prints. torch is imported once for all calls of a test
 * file, where the system can fork.
 */
export async function runTorchPython(args: string[], input = ""): Promise<string> {
  if (process.platform === "win32") {
    const options = { input, encoding: "utf8", maxBuffer: 2 ** 28 } as const;
    return outputOf(spawnSync(torchPython ?? "python3", [...UTF8, ...args], options));
  }
  server ??= new ForkServer();
  return outputOf(await server.run(args, input));
}

interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

function outputOf({ status, stdout, stderr }: Ended): string {
  if (status !== 0) throw new Error(`Python ended with ${status}: ${stderr}`);
  return stdout;
}

let server: ForkServer | undefined;

/** The process of fork_server.py. It ends when this process ends, because its input does. */
class ForkServer {
  readonly #child: ChildProcess;
  readonly #answers: Interface;
  readonly #waiting: { resolve(ended: Ended): void; reject(error: Error): void }[] = [];

  constructor() {
    this.#child = spawn(torchPython ?? "python3", [...UTF8, forkServer], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error("no pipe to Python");
    this.#answers = createInterface({ input: stdout });
    this.#answers.on("line", (line) => this.#waiting.shift()?.resolve(JSON.parse(line)));
    const fail = (error: Error) => {
      for (const { reject } of this.#waiting.splice(0)) reject(error);
    };
    this.#child.on("error", fail);
    this.#child.on("exit", (status) => fail(new Error(`Python ended with ${status}`)));
    this.#child.unref();
  }

  run(args: string[], input: string): Promise<Ended> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#child.stdin?.write(`${JSON.stringify({ args, input })}\n`);
    });
  }
}
