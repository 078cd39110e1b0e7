/** Connections that end early, and responses that are being sent while the server closes. */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import Fastify from "fastify";
import { expect, test } from "vitest";
import { engineBuilt } from "../../test/support/native.js";
import { sdaServer } from "../src/index.js";
import {
  afterTest,
  application,
  metric,
  modelsFolder,
  PLUCKS_ID,
  rawConnection,
  running,
  TINY_ID,
  until,
} from "./support.js";

test("queued pipelined streams end with their connection", async () => {
  const server = await running();
  const listen = "GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const sockets = await Promise.all(Array.from({ length: 20 }, () => rawConnection(server.url)));
  for (const socket of sockets) socket.write(listen.repeat(3));
  await until(async () => (await metric(server.url, "sda_event_clients")) >= 20);
  for (const socket of sockets) socket.destroy();
  await until(
    async () => (await metric(server.url, "sda_event_clients")) === 0,
    "streams are still open",
  );
});

// A closed socket has no address. That must not make its client a local one.
test("a client that disconnects during authorize changes nothing", async () => {
  const app = Fastify();
  afterTest(() => app.close());
  let asked = 0;
  await app.register(sdaServer, {
    modelsDir: modelsFolder(),
    async authorize() {
      asked++;
      await sleep(100);
      return undefined;
    },
  });
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  const socket = await rawConnection(url);
  socket.write(`DELETE /api/models/${TINY_ID} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await until(async () => asked > 0);
  socket.resetAndDestroy();
  await sleep(200);
  expect((await fetch(`${url}/api/models/${TINY_ID}`)).status).toBe(200);
});

test("maxBodyBytes applies whatever limit the application has", async () => {
  const app = await application({ limits: { maxBodyBytes: 100 } });
  const response = await app.inject({
    method: "PATCH",
    url: `/api/models/${TINY_ID}`,
    payload: { description: "x".repeat(1000) },
  });
  expect(response.statusCode).toBe(413);
});

test.skipIf(!engineBuilt)("closing sends the rest of a running response", async () => {
  const server = await running();
  const made = await fetch(`${server.url}api/models/${PLUCKS_ID}/generate?format=json`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ durationS: 60, seed: 1, sampleRate: 96000 }),
  });
  const { url } = (await made.json()) as { url: string };
  const socket = await rawConnection(server.url);
  socket.write(`GET ${url}?bitDepth=32 HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await once(socket, "readable");
  const closed = server.close();
  await sleep(200);
  let bytes = 0;
  socket.on("data", (part) => {
    bytes += part.length;
  });
  await once(socket, "close");
  expect(bytes).toBeGreaterThan(56 * 96000 * 4);
  await closed;
});

test.skipIf(!engineBuilt)("the key of a kept WAV file is not a sound id", async () => {
  const app = await application();
  const made = await app.inject({
    method: "POST",
    url: `/api/models/${TINY_ID}/generate?format=json`,
    payload: { seed: 1 },
  });
  const { url } = made.json();
  expect((await app.inject(url)).statusCode).toBe(200);
  for (const odd of [`${url}:24`, `${url}:24/mel.png`]) {
    expect((await app.inject(odd)).statusCode).toBe(404);
  }
});

test("registration in a scope with a prefix is refused", async () => {
  const app = Fastify();
  afterTest(() => app.close());
  const registered = app.register(
    async (scope) => scope.register(sdaServer, { modelsDir: modelsFolder() }),
    { prefix: "/audio" },
  );
  await expect(Promise.resolve(registered).then(() => app.ready())).rejects.toMatchObject({
    code: "ERR_SDA_ARGUMENT",
  });
});
