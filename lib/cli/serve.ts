import { type Command, InvalidArgumentError } from "commander";
import { SdaError } from "../base/errors.js";
import { type Io, writeJson } from "./io.js";
import { addCommonOptions, addModelsDirOption, collect, parseInteger } from "./options.js";

const EXAMPLES = `
Examples:
  sda serve                               http://127.0.0.1:8080, for this machine only
  SDA_TOKEN=… sda serve --host 0.0.0.0    for the network; changing models needs the token
  sda serve --port 0 --json | jq -r .url  any free port

After Ctrl-C, the server completes running requests and ends. A second Ctrl-C ends it at once.`;

const PACKAGE = "small-dataset-audio-server";
const DEFAULT_PORT = 8080;
const MAX_PORT = 65_535;

interface Settings {
  modelsDir: string;
  host: string;
  port: number;
  token?: string;
  allowedHost?: string[];
  json?: boolean;
}

/** The options of `serve` in the server package. */
interface ServeOptions {
  modelsDir: string;
  host: string;
  port: number;
  token?: string;
  allowedHosts?: string[];
  signal: AbortSignal;
}
interface Server {
  url: string;
  /** Resolves when all running requests are complete and all connections are closed. */
  close(): Promise<void>;
}
interface ServerPackage {
  serve(options: ServeOptions): Promise<Server>;
}

export function addServeCommand(program: Command, io: Io): void {
  const command = program
    .command("serve")
    .summary("serve a library as a web page and an API")
    .description("Serve a library over HTTP: a page with the models and their sliders, and an API.")
    .option("--host <address>", "address to listen on; 0.0.0.0 for the whole network", "127.0.0.1")
    .option("--port <number>", "port to listen on; 0 takes a free port", parsePort, DEFAULT_PORT)
    .option(
      "--token <text>",
      "secret that a client must send to change models " +
        "(default: SDA_TOKEN, which the list of processes does not show)",
    )
    .option("--allowed-host <name>", "another host name of this machine; repeatable", collect)
    .addHelpText("after", EXAMPLES)
    .action((settings: Settings) => run(settings, io));
  addModelsDirOption(command);
  addCommonOptions(command);
}

function parsePort(text: string): number {
  const port = parseInteger(text);
  if (port < 0 || port > MAX_PORT) throw new InvalidArgumentError(`Expected 0 to ${MAX_PORT}.`);
  return port;
}

async function run(settings: Settings, io: Io): Promise<void> {
  const { modelsDir, host, port, allowedHost: allowedHosts, json } = settings;
  const token = settings.token ?? process.env["SDA_TOKEN"];
  if (token === "") {
    const problem = "the token is empty; to use no token, omit --token and unset SDA_TOKEN";
    throw new SdaError("ERR_SDA_ARGUMENT", problem, { option: "--token" });
  }
  const { serve } = await serverPackage();
  io.signal.throwIfAborted();
  const server = await serve({
    modelsDir,
    host,
    port,
    ...(token !== undefined && { token }),
    ...(allowedHosts && { allowedHosts }),
    signal: io.signal,
  });
  if (json) writeJson(io, { url: server.url });
  io.stderr.write(`Serving ${modelsDir} at ${server.url}\n`);
  await aborted(io.signal);
  await server.close();
  io.stderr.write("Stopped.\n"); // Ctrl-C is the normal end of a server, so the exit code is 0
}

async function serverPackage(): Promise<ServerPackage> {
  try {
    return (await import(serverSpecifier())) as ServerPackage;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const isMissing = code === "ERR_MODULE_NOT_FOUND" && message.includes(`'${PACKAGE}'`);
    if (!isMissing) throw error;
    throw new Error(`${PACKAGE} is not installed: npm install ${PACKAGE}`);
  }
}

/**
 * A function, so that TypeScript does not resolve the server package: it depends on this package
 * and is compiled after it.
 */
function serverSpecifier(): string {
  return PACKAGE;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((done) => signal.addEventListener("abort", () => done(), { once: true }));
}
