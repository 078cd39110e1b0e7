/** Servers for tests, and helpers for requests to them. */

import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Fastify, { type FastifyInstance, type InjectOptions } from "fastify";
import { afterAll, afterEach, expect } from "vitest";
import {
  type RunningServer,
  type SdaServerOptions,
  type ServeOptions,
  sdaServer,
  serve,
} from "../src/index.js";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const plucks = join(root, "assets/models/synthetic-plucks.sda");
export const tiny = join(root, "test/fixtures/models/tiny.sda");
export const decoderOnly = join(root, "test/fixtures/models/tiny-decoder-only.sda");
export const checkpoint = join(root, "test/fixtures/checkpoints/tiny.pt");

export const PLUCKS_ID = "5da00000-0000-4000-8000-000000000001";
export const TINY_ID = "00000000-0000-4000-8001-000000000001";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});
export function afterTest(clean: () => unknown): void {
  cleanups.push(clean);
}

/** A folder of model files, by default plucks.sda and tiny.sda. It is removed after the test. */
export function modelsFolder(files: Record<string, string> = { plucks, tiny }): string {
  const folder = mkdtempSync(join(tmpdir(), "sda-server-test-"));
  afterTest(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, source] of Object.entries(files)) cpSync(source, join(folder, `${name}.sda`));
  return folder;
}

/** An application that has only the plugin. Local clients may write, unless `token` is given. */
export async function application(
  options: Partial<SdaServerOptions> = {},
): Promise<FastifyInstance> {
  const app = Fastify({ routerOptions: { maxParamLength: 1000 } });
  afterTest(() => app.close());
  await app.register(sdaServer, {
    modelsDir: options.modelsDir ?? modelsFolder(),
    device: "cpu",
    token: false,
    ...options,
  });
  return app;
}

let shared: Promise<FastifyInstance> | undefined;

/**
 * The application that all tests of a file share whose requests change nothing, with the models
 * plucks.sda and tiny.sda. Setting one up for each would take most of their time.
 */
export function sharedApplication(): Promise<FastifyInstance> {
  shared ??= (async () => {
    const modelsDir = mkdtempSync(join(tmpdir(), "sda-server-test-"));
    cpSync(plucks, join(modelsDir, "plucks.sda"));
    cpSync(tiny, join(modelsDir, "tiny.sda"));
    const app = Fastify({ routerOptions: { maxParamLength: 1000 } });
    await app.register(sdaServer, { modelsDir, device: "cpu", token: false });
    return app;
  })();
  return shared;
}
afterAll(async () => (await shared)?.close());

export async function running(options: Partial<ServeOptions> = {}): Promise<RunningServer> {
  const server = await serve({
    modelsDir: options.modelsDir ?? modelsFolder(),
    device: "cpu",
    token: false,
    ...options,
  });
  afterTest(() => server.close());
  return server;
}

/** Sends a request and returns its problem, which must not reveal anything about the host. */
export async function problemOf(app: FastifyInstance, request: InjectOptions) {
  const response = await app.inject(request);
  return checkProblem(response.statusCode, response.headers["content-type"], response.body);
}

export function checkProblem(status: number, type: unknown, body: string) {
  expect(type).toBe("application/problem+json; charset=utf-8");
  const problem = JSON.parse(body);
  expect(problem.status).toBe(status);
  expect(problem).toEqual(
    expect.objectContaining({
      type: "about:blank",
      title: expect.any(String),
      detail: expect.any(String),
      code: expect.stringMatching(/^(ERR_|FST_ERR_|HPE_|E[A-Z]+$)/),
    }),
  );
  expect(body).not.toContain(tmpdir());
  expect(body).not.toMatch(/\/(tmp|home|work|root|usr|var)\b|node_modules|\n\s+at |\.ts:|\.js:/);
  // Media types contain "/"; other texts would only contain it in a path.
  if (status !== 406 && status !== 415) expect(body).not.toContain("/");
  return problem as { status: number; detail: string; code: string; option?: string };
}

/** The headers and bytes of a form with a file. */
export function form(file: Uint8Array, fields: [string, string][] = [], fileName = "model.sda") {
  const boundary = "----sda-test-boundary";
  const parts: Uint8Array[] = [];
  for (const [name, value] of fields) {
    parts.push(
      Buffer.from(
        `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
      ),
    );
  }
  parts.push(
    Buffer.from(
      `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="${fileName}"\r\n` +
        "content-type: application/octet-stream\r\n\r\n",
    ),
    file,
    Buffer.from(`\r\n--${boundary}--\r\n`),
  );
  return {
    headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
    payload: Buffer.concat(parts),
  };
}

/** The head of an upload request, for `rawConnection`. */
export function uploadHead(contentType: string, length: number): string {
  return (
    "POST /api/models HTTP/1.1\r\nHost: localhost\r\n" +
    `Content-Type: ${contentType}\r\nContent-Length: ${length}\r\n\r\n`
  );
}

export function upload(
  app: FastifyInstance,
  file: Uint8Array,
  fields?: [string, string][],
  name?: string,
) {
  return app.inject({ method: "POST", url: "/api/models", ...form(file, fields, name) });
}

export const bytesOf = (path: string): Buffer => readFileSync(path);

/** A TCP connection for arbitrary bytes. */
export async function rawConnection(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  afterTest(() => socket.destroy());
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/** Reads until the server closes the connection. */
export async function readAll(socket: Socket): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of socket) parts.push(part);
  return Buffer.concat(parts).toString("latin1");
}

/** Polls until the condition is true. */
export async function until(
  condition: () => unknown,
  what = "the condition never became true",
): Promise<void> {
  const deadline = performance.now() + 100_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(what);
    await new Promise((done) => setTimeout(done, 20));
  }
}

export async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
}
