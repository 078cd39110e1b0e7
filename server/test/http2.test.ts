/** The plugin in an HTTP/2 application, where several requests share a connection. */
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import Fastify from "fastify";
import { describe, expect, test } from "vitest";
import { engineBuilt } from "../../test/support/native.js";
import { type SdaServerOptions, sdaServer } from "../src/index.js";
import {
  afterTest,
  bytesOf,
  form,
  modelsFolder,
  PLUCKS_ID,
  TINY_ID,
  tiny,
  until,
} from "./support.js";

const GENERATE = `/api/models/${PLUCKS_ID}/generate`;

async function http2Server(options: Partial<SdaServerOptions> = {}) {
  const app = Fastify({ http2: true });
  await app.register(sdaServer, {
    token: false,
    modelsDir: modelsFolder(),
    device: "cpu",
    ...options,
  });
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  const session = connect(url);
  afterTest(() => app.close());
  afterTest(() => session.destroy());
  session.on("error", () => {});
  return { app, session };
}

function send(
  session: ClientHttp2Session,
  path: string,
  headers: Record<string, string> = {},
  body?: Uint8Array | string,
): ClientHttp2Stream {
  const method = body === undefined ? "GET" : "POST";
  const stream = session.request({ ":path": path, ":method": method, ...headers });
  stream.on("error", () => {});
  stream.end(body);
  return stream;
}

async function answer(stream: ClientHttp2Stream) {
  const [headers] = await once(stream, "response");
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return { status: headers[":status"] as number, headers, body: Buffer.concat(parts) };
}

const json = { "content-type": "application/json" };
const metric = async (session: ClientHttp2Session, name: string) => {
  const { body } = await answer(send(session, "/metrics"));
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(String(body))?.[1]);
};

test("reads work, and :authority is checked as Host is", async () => {
  const { session } = await http2Server();
  const list = await answer(send(session, "/api/models"));
  expect(list.status).toBe(200);
  expect(JSON.parse(String(list.body)).total).toBe(2);
  const etag = String(list.headers.etag);
  const again = await answer(send(session, "/api/models", { "if-none-match": etag }));
  expect([again.status, again.headers.etag, again.headers["cache-control"]]).toEqual([
    304,
    etag,
    "no-cache",
  ]);
  expect(again.body).toHaveLength(0);
  const rebound = await answer(send(session, "/api/models", { ":authority": "evil.example" }));
  expect([rebound.status, JSON.parse(String(rebound.body)).code]).toEqual([403, "ERR_HOST"]);
  // Without a type of its body, a browser makes the request without asking this server first.
  const foreign = { origin: "https://evil.example" };
  expect((await answer(send(session, GENERATE, foreign, "{}"))).status).toBe(403);
});

test("uploads, changes and deletions work", async () => {
  const { session } = await http2Server();
  const { headers, payload } = form(bytesOf(tiny));
  const added = await answer(send(session, "/api/models", headers, payload));
  expect(added.status).toBe(201);
  const path = String(added.headers.location);
  const change = session.request({ ":path": path, ":method": "PATCH", ...json });
  change.end('{"name":"Other"}');
  expect(JSON.parse(String((await answer(change)).body)).name).toBe("Other");
  const removal = session.request({ ":path": path, ":method": "DELETE" });
  expect((await answer(removal)).status).toBe(204);
  expect((await answer(send(session, `/api/models/${TINY_ID}`))).status).toBe(200);
});

test("event streams of one connection end one by one", async () => {
  const { session } = await http2Server();
  const [one, two] = [send(session, "/api/events"), send(session, "/api/events")];
  const heard = answer(two);
  await until(async () => (await metric(session, "sda_event_clients")) === 2);
  one.close();
  await until(async () => (await metric(session, "sda_event_clients")) === 1);
  const removal = session.request({ ":path": `/api/models/${TINY_ID}`, ":method": "DELETE" });
  expect((await answer(removal)).status).toBe(204);
  await until(async () => (await metric(session, "sda_models")) === 1);
  await new Promise((done) => setTimeout(done, 200));
  two.close();
  expect(String((await heard).body)).toContain(TINY_ID);
});

describe.skipIf(!engineBuilt)("sound", () => {
  test("is right for several requests in one connection", async () => {
    const { session } = await http2Server();
    const seeds = [1, 2, 3, 1];
    const sounds = await Promise.all(
      seeds.map((seed) => answer(send(session, GENERATE, json, JSON.stringify({ seed })))),
    );
    for (const { status, headers, body } of sounds) {
      expect(status).toBe(200);
      expect(String(body.length)).toBe(headers["content-length"]);
    }
    expect(sounds[0]?.body.equals(sounds[3]?.body as Buffer)).toBe(true);
    expect(sounds[0]?.body.equals(sounds[1]?.body as Buffer)).toBe(false);
  });

  test("stops when its stream is closed, and other streams go on", async () => {
    const { session } = await http2Server({ limits: { maxRunning: 1, lendAfterMs: 60_000 } });
    const long = send(session, GENERATE, json, JSON.stringify({ durationS: 60, seed: 1 }));
    await once(long, "response");
    const other = answer(send(session, GENERATE, json, JSON.stringify({ seed: 2 })));
    await until(async () => (await metric(session, "sda_queued")) === 1);
    long.close();
    expect((await other).status).toBe(200);
    await until(async () => (await metric(session, "sda_running")) === 0);
    expect(await metric(session, "sda_generated_seconds_total")).toBeLessThan(2);
  });

  test("is finished when the application closes", async () => {
    const { app, session } = await http2Server();
    const sound = send(session, GENERATE, json, JSON.stringify({ durationS: 10, seed: 1 }));
    const heard = answer(sound);
    await once(sound, "response");
    const closed = app.close();
    const { headers, body } = await heard;
    expect(String(body.length)).toBe(headers["content-length"]);
    session.close();
    await closed;
  });
});
