import { type Command, InvalidArgumentError } from "commander";
import { SdaError } from "../base/errors.js";
import { addCommonOptions } from "./common-options.js";
import { type Io, writeJson } from "./io.js";
import { hasScreen, openPage } from "./open-page.js";
import { addModelsDirOption, collect, parseInteger } from "./options.js";
import { serverToken } from "./server-token.js";

const EXAMPLES = `
Examples:
  sda serve                               http://127.0.0.1:8080, for this machine only
  sda serve --host 0.0.0.0                for the network; changing models needs the token
  sda serve --prefix /sounds              http://127.0.0.1:8080/sounds/, for a proxy
  sda serve --port 0 --json | jq -r .url  any free port

Reading models and making sound needs no token, but changing models does. Without --token and
SDA_TOKEN, the first server makes one, which this user's later servers use as well. It is printed
with the address of the page, which remembers it.

After Ctrl-C, the server completes running requests and ends. A second Ctrl-C ends it at once.`;

const PACKAGE = "small-dataset-audio-server";
const DEFAULT_PORT = 8080;
const MAX_PORT = 65_535;

interface Settings {
  modelsDir: string;
  host: string;
  port: number;
  token?: string;
  prefix?: string;
  allowedHost?: string[];
  open: boolean;
  json?: boolean;
}

/** The options of `serve` in the server package. */
interface ServeOptions {
  modelsDir: string;
  host: string;
  port: number;
  token: string;
  prefix?: string;
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
        "(default: SDA_TOKEN, which the list of processes does not show, or one that is kept)",
    )
    .option("--prefix <path>", 'path of the page, such as "/sounds"; the API is in it', parsePrefix)
    .option("--allowed-host <name>", "another host name of this machine; repeatable", collect)
    .option("--no-open", "do not open the page in a browser")
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

/** @returns the path with a slash before it and none after it; "" is the root */
function parsePrefix(text: string): string {
  const path = text.replace(/^\/*|\/+$/g, "");
  if (path === "") return "";
  if (/^[\w.~-]+(\/[\w.~-]+)*$/.test(path) && !/(^|\/)\.\.?(\/|$)/.test(path)) return `/${path}`;
  throw new InvalidArgumentError('Expected a path such as "/sounds".');
}

async function run(settings: Settings, io: Io): Promise<void> {
  const { modelsDir, host, port, prefix, allowedHost: allowedHosts, json } = settings;
  const given = settings.token ?? process.env["SDA_TOKEN"];
  if (given === "") {
    const problem = "the token is empty; to use another one, omit --token and unset SDA_TOKEN";
    throw new SdaError("ERR_SDA_ARGUMENT", problem, { option: "--token" });
  }
  const { serve } = await serverPackage();
  const made = given === undefined ? await serverToken() : undefined;
  const token = given ?? (made?.token as string);
  io.signal.throwIfAborted();
  const server = await serve({
    modelsDir,
    host,
    port,
    token,
    ...(prefix && { prefix: `${prefix}/api` }),
    ...(allowedHosts && { allowedHosts }),
    signal: io.signal,
  });
  const url = prefix ? new URL(`${prefix}/`, server.url).href : server.url;
  const withToken = `${url}#token=${encodeURIComponent(token)}`;
  if (json) writeJson(io, { url, ...(made && { token }) });
  io.stderr.write(`Serving ${modelsDir} at ${url}\n`);
  // A token that was given is known to whoever needs it, and may not be meant for this terminal.
  if (made) io.stderr.write(`To change models, open ${withToken}\n`);
  if (made?.problem !== undefined) {
    io.stderr.write(`The token is for this run only, because it cannot be kept: ${made.problem}\n`);
  }
  const isPerson = settings.open && io.stdin !== undefined && io.stderr.isTTY === true && !json;
  const close = isPerson && hasScreen() ? await openPage(withToken) : undefined;
  await aborted(io.signal);
  await close?.();
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
