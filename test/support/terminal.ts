/** Runs a command in a pseudo-terminal and keeps the screen as a person sees it. */
import { spawn } from "@lydell/node-pty";
import xterm from "@xterm/headless";

export interface TerminalOptions {
  env?: Record<string, string>;
  columns?: number;
  rows?: number;
}

const WAIT_MS = 20_000;

export class Terminal {
  readonly #screen: InstanceType<typeof xterm.Terminal>;
  readonly #process: ReturnType<typeof spawn>;
  #raw = "";
  readonly exited: Promise<number>;

  constructor(command: string, args: string[], options: TerminalOptions = {}) {
    const { env = {}, columns = 100, rows = 40 } = options;
    this.#screen = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true });
    const inherited = Object.entries(process.env).filter(([name]) => name !== "NO_COLOR");
    this.#process = spawn(command, args, {
      name: "xterm-256color",
      cols: columns,
      rows,
      env: { ...Object.fromEntries(inherited), ...env } as Record<string, string>,
    });
    this.#process.onData((data) => {
      this.#raw += data;
      this.#screen.write(data);
    });
    this.exited = new Promise((done) => {
      this.#process.onExit(({ exitCode }) => this.#screen.write("", () => done(exitCode)));
    });
  }

  /** The whole output, escape sequences included. */
  get raw(): string {
    return this.#raw;
  }

  /** The lines of the screen and the scrollback, without empty lines at the end. */
  async lines(): Promise<string[]> {
    await new Promise<void>((done) => this.#screen.write("", done));
    const buffer = this.#screen.buffer.active;
    const lines = Array.from(
      { length: buffer.length },
      (_, i) => buffer.getLine(i)?.translateToString(true) ?? "",
    );
    while (lines.at(-1) === "") lines.pop();
    return lines;
  }

  async text(): Promise<string> {
    return (await this.lines()).join("\n");
  }

  type(keys: string): void {
    this.#process.write(keys);
  }

  /** Waits until the screen shows it. */
  async see(wanted: string | RegExp): Promise<void> {
    const deadline = performance.now() + WAIT_MS;
    for (;;) {
      const text = await this.text();
      if (typeof wanted === "string" ? text.includes(wanted) : wanted.test(text)) return;
      if (performance.now() > deadline) throw new Error(`${wanted} did not appear in:\n${text}`);
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }
}
