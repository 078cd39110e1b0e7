import { type Command, InvalidArgumentError } from "commander";
import { SdaError } from "../base/errors.js";
import { type Io, writeJson } from "./io.js";
import { addCommonOptions, addModelsDirOption, collect, parseInteger } from "./options.js";

const EXAMPLES = `
Examples:
  sda serve                               http://127.0.0.1:8080, for this machine alone
  SDA_TOKEN=… sda serve --host 0.0.0.0    for the network; whoever has the token may also change models
  sda serve --port 0 --json | jq -r .url  any free port

It runs until Ctrl-C, and then finishes what is being made; a second Ctrl-C ends it at once.`;

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

/** What `serve` of the server package takes and gives. */
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
  /** Resolves when what was being made is done and no connection is left. */
  close(): Promise<void>;
}
interface ServerPackage {
  serve(options: ServeOptions): Promise<Server>;
}

export function addServeCommand(program: Command, io: Io): void {
  const command = program
    .command("serve")
    .summary("show a library in a browser, and serve it to programs")
    .description("Serve a library over HTTP: a page with the models and their sliders, and an API.")
    .option("--host <address>", "to listen at; 0.0.0.0 for the whole network", "127.0.0.1")
    .option("--port <number>", "to listen at; 0 takes a free one", parsePort, DEFAULT_PORT)
    .option(
      "--token <text>",
      "what a client must know to change models, on this machine too (default: SDA_TOKEN, which no list of processes shows)",
    )
    .option(
      "--allowed-host <name>",
      "another name that this machine is called by; may be repeated",
      collect,
    )
    .addHelpText("after", EXAMPLES)
    .action((settings: Settings) => run(settings, io));
  addModelsDirOption(command);
  addCommonOptions(command);
}

function parsePort(text: string): number {
  const port = parseInteger(text);
  if (port < 0 || port > MAX_PORT) throw new InvalidArgumentError(`It is not 0 to ${MAX_PORT}.`);
  return port;
}

async function run(settings: Settings, io: Io): Promise<void> {
  const { modelsDir, host, port, allowedHost: allowedHosts, json } = settings;
  const token = settings.token ?? process.env["SDA_TOKEN"];
  if (token === "") {
    const problem = "the token is empty; leave --token and SDA_TOKEN out to have none";
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
  io.stderr.write("Stopped.\n"); // its regular end, and no failure
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

/** The package depends on this one, so nothing of it may be known when this one is compiled. */
function serverSpecifier(): string {
  return PACKAGE;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((done) => signal.addEventListener("abort", () => done(), { once: true }));
}
