/** Starts servers in child processes: tests can kill them or start them without an engine. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach } from "vitest";

const script = fileURLToPath(new URL("serve.mjs", import.meta.url));
const running: TestServer[] = [];

/** The options of `serve` that JSON can hold. */
export interface Options {
  modelsDir: string;
  prefix?: string;
  host?: string;
  port?: number;
  token?: string;
  limits?: Record<string, number>;
  pollMs?: number;
}

export class TestServer {
  readonly url: string;
  readonly #child: ChildProcess;

  constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = child;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.stdin?.end();
    await exited;
  }

  async kill(): Promise<void> {
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }
}

/** Starts a server that is closed after the test. */
export async function startServer(
  options: Options,
  env: Record<string, string> = {},
): Promise<TestServer> {
  const child = spawn(process.execPath, [script, JSON.stringify({ pollMs: 200, ...options })], {
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [url] = await Promise.race([
    once(createInterface(child.stdout), "line"),
    once(child, "exit").then(([code]) => {
      throw new Error(`The server ended with ${code} (is it built? npm run build:server)`);
    }),
  ]);
  const server = new TestServer(String(url), child);
  running.push(server);
  return server;
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()));
});
