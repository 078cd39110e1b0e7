import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { STATUS_CODES } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import Fastify, { type FastifyInstance, type FastifyReply } from "fastify";
import { refuse, type SdaServerOptions } from "./options.js";
import { sdaServer } from "./plugin.js";
import { PROBLEM_TYPE, Problem, toProblem } from "./problem.js";

/** Options of `serve`. */
export interface ServeOptions extends SdaServerOptions {
  /** Address to listen on; default "127.0.0.1", which only this machine can reach */
  host?: string;
  /** Port to listen on; default 0: any free port */
  port?: number;
  /** Largest number of open connections; further ones are closed. Default 10,000 */
  maxConnections?: number;
  /** Aborting closes the server */
  signal?: AbortSignal;
}

/** A listening server. */
export interface RunningServer {
  /** Address of the server, ending in "/" */
  url: string;
  /** Finishes running work, then frees everything. Idempotent */
  close(): Promise<void>;
}

/** Connections without traffic are closed after this time. Event streams have heartbeats. */
const IDLE_CONNECTION_MS = 120_000;
const KEEP_ALIVE_MS = 5000;
/** Time for a client to send the head of a request. */
const HEAD_MS = 30_000;
const MAX_PARAM_LENGTH = 1000;

/**
 * Starts a server with the plugin and the page.
 *
 * @throws SdaError as `sdaServer`; the system's error (`code`: "EADDRINUSE", "EACCES", …) when the
 *   server cannot listen; `signal.reason`
 * @example
 * ```js
 * const server = await serve({ modelsDir: "data/models" });
 * console.log(`Open ${server.url}`);
 * const response = await fetch(`${server.url}api/models`);
 * const { total } = await response.json();
 * console.log(total); // 2
 * await server.close();
 * ```
 */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { host = "127.0.0.1", port = 0, maxConnections = 10_000, signal, ...own } = options;
  checkListening(host, port, maxConnections);
  signal?.throwIfAborted();
  const app = createApp(own.limits?.uploadTimeoutMs);
  let others: Server[] = [];
  try {
    await app.register(sdaServer, own);
    await app.ready();
    app.server.maxConnections = maxConnections;
    app.server.headersTimeout = HEAD_MS;
    signal?.throwIfAborted();
    const [first = host, ...rest] = await addressesOf(host);
    await app.listen({ host: first, port });
    others = await listenElsewhere(app, rest);
  } catch (error) {
    await app.close();
    throw error;
  }
  let closed: Promise<void> | undefined;
  const close = () => {
    signal?.removeEventListener("abort", closeOnAbort);
    for (const server of others) server.close();
    closed ??= app.close().then(() => {});
    return closed;
  };
  const closeOnAbort = () => void close().catch(() => {}); // nobody waits for this promise
  signal?.addEventListener("abort", closeOnAbort, { once: true });
  if (signal?.aborted) {
    await close();
    signal.throwIfAborted();
  }
  return { url: urlOf(app, host), close };
}

function checkListening(host: unknown, port: unknown, maxConnections: unknown): void {
  if (typeof host !== "string" || host === "") throw refuse("host", "an address or a name");
  if (!Number.isInteger(port) || (port as number) < 0 || (port as number) > 65_535) {
    throw refuse("port", "a whole number from 0 to 65535");
  }
  if (!Number.isInteger(maxConnections) || (maxConnections as number) < 1) {
    throw refuse("maxConnections", "a whole number, 1 or more");
  }
}

/** The addresses of a host to listen on. "localhost" may have two: 127.0.0.1 and ::1. */
async function addressesOf(host: string): Promise<string[]> {
  if (host !== "localhost") return [host];
  const found = await lookup(host, { all: true });
  return [...new Set(found.map(({ address }) => address))];
}

/**
 * Passes connections to further addresses on to the application's server, so that they have its
 * limits and end with it. Fastify's own second server for "localhost" would have neither.
 */
async function listenElsewhere(app: FastifyInstance, addresses: string[]): Promise<Server[]> {
  const { port } = app.server.address() as AddressInfo;
  const servers: Server[] = [];
  for (const address of addresses) {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      app.server.emit("connection", socket),
    );
    server.maxConnections = app.server.maxConnections;
    server.listen(port, address);
    // The port may be taken at this address, or the system may have no IPv6.
    await once(server, "listening").then(
      () => servers.push(server),
      () => {},
    );
  }
  return servers;
}

function createApp(uploadTimeoutMs = 600_000): FastifyInstance {
  const app = Fastify({
    // Opening a large library and finishing work may take longer than Fastify's 10 seconds.
    pluginTimeout: 0,
    // While the server closes, the plugin refuses new work itself.
    return503OnClosing: false,
    forceCloseConnections: "idle",
    connectionTimeout: IDLE_CONNECTION_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // Covers the whole request with its body. Uploads take longest.
    requestTimeout: uploadTimeoutMs,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    frameworkErrors(error, _request, reply: FastifyReply) {
      const problem = toProblem(error);
      reply.code(problem.status).type(PROBLEM_TYPE).send(JSON.stringify(problem));
    },
    clientErrorHandler: answerBadRequest,
  });
  app.setNotFoundHandler((_request, reply) => {
    const problem = new Problem(404, "ERR_NOT_FOUND", "Nothing exists at this address.");
    reply.code(404).type(PROBLEM_TYPE).send(JSON.stringify(problem));
  });
  return app;
}

const STATUS_BY_ERROR: Record<string, readonly [status: number, detail: string]> = {
  HPE_HEADER_OVERFLOW: [431, "The head of the request is too large."],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "The request was not complete in time."],
};

/** Answers bytes that are not valid HTTP. There is no request object, only a socket. */
function answerBadRequest(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const [status, detail] = STATUS_BY_ERROR[error.code ?? ""] ?? [
    400,
    "The request is not valid HTTP.",
  ];
  const body = JSON.stringify(new Problem(status, error.code ?? "ERR_HTTP", detail));
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: ${PROBLEM_TYPE}\r\n`;
  socket.end(`${head}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
}

/** A URL that a browser can open: not 0.0.0.0 or ::, which mean all addresses. */
function urlOf(app: FastifyInstance, host: string): string {
  const { address, port } = app.server.address() as AddressInfo;
  const isAll = address === "0.0.0.0" || address === "::";
  const name = isAll ? "localhost" : host.includes(":") ? `[${host}]` : host;
  return `http://${name}:${port}/`;
}
