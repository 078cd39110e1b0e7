/** Many, slow and disconnecting clients, and a closing server. */
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import Fastify from "fastify";
import { describe, expect, test, vi } from "vitest";
import { count, effort } from "../../test/support/effort.js";
import { engineBuilt } from "../../test/support/native.js";
import { type RunningServer, sdaServer } from "../src/index.js";
import { WorkQueue } from "../src/work.js";
import {
  afterTest,
  application,
  bytesOf,
  checkProblem,
  form,
  metric,
  modelsFolder,
  PLUCKS_ID,
  plucks,
  rawConnection,
  readAll,
  running,
  until,
  uploadHead,
} from "./support.js";

vi.mock("node:dns/promises", async (original) => {
  const dns = await original<typeof import("node:dns/promises")>();
  return { ...dns, lookup: vi.fn(dns.lookup) };
});

const path = `api/models/${PLUCKS_ID}/generate`;

function generate(server: RunningServer, body: object, init: RequestInit = {}): Promise<Response> {
  return fetch(server.url + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    ...init,
  });
}

function head(body: string, target = path): string {
  return (
    `POST /${target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n` +
    `Content-Length: ${body.length}\r\n\r\n${body}`
  );
}

/** A sound that no buffer on its way holds. */
const long = {
  durationS: effort({ quick: 45, full: 60 }),
  sampleRate: effort({ quick: 48_000, full: 96_000 }),
  spatial: { mode: "stereo" },
};

/** A client that requests a long sound and reads only the beginning. */
async function slowClient(server: RunningServer, seed: number): Promise<Socket> {
  const socket = await rawConnection(server.url);
  socket.write(head(JSON.stringify({ ...long, seed })));
  await once(socket, "readable");
  return socket;
}

const idle = (server: RunningServer) =>
  until(
    async () => (await metric(server.url, "sda_running")) === 0,
    "the server did not become idle",
  );

describe.skipIf(!engineBuilt)("limits of work", () => {
  test("requests beyond maxRunning wait, and beyond maxQueued they get 429", async () => {
    const server = await running({ limits: { maxRunning: 1, maxQueued: 2, lendAfterMs: 60_000 } });
    const slow = await slowClient(server, 1);
    await until(async () => (await metric(server.url, "sda_running")) === 1);
    const waiting = [generate(server, { seed: 1 }), generate(server, { seed: 2 })];
    await until(async () => (await metric(server.url, "sda_queued")) === 2);
    const refused = await generate(server, { seed: 3 });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    checkProblem(429, refused.headers.get("content-type"), await refused.text());
    const encode = await fetch(`${server.url}api/models/${PLUCKS_ID}/encode`, {
      method: "POST",
      headers: { "content-type": "audio/wav" },
      body: new Uint8Array(10),
    });
    expect(encode.status).toBe(429);
    // Reading the library is not limited.
    expect((await fetch(`${server.url}api/models`)).status).toBe(200);
    slow.destroy();
    for (const response of await Promise.all(waiting)) {
      expect(response.status).toBe(200);
      const { byteLength } = await response.arrayBuffer();
      expect(String(byteLength)).toBe(response.headers.get("content-length"));
    }
    await idle(server);
  });

  test("a slow sender of a sound does not block generation", async () => {
    const server = await running({ limits: { maxRunning: 1, maxQueued: 1 } });
    const socket = await rawConnection(server.url);
    const wav = Buffer.from(await (await generate(server, { seed: 1 })).arrayBuffer());
    socket.write(
      `POST /api/models/${PLUCKS_ID}/encode HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n` +
        `Content-Type: audio/wav\r\nContent-Length: ${wav.length}\r\n\r\n`,
    );
    socket.write(wav.subarray(0, 1000));
    await until(async () => (await metric(server.url, "sda_uploads")) === 1);
    const others = await Promise.all([
      generate(server, { seed: 2 }),
      generate(server, { seed: 3 }),
    ]);
    expect(others.map(({ status }) => status)).toEqual([200, 200]);
    for (const other of others) await other.arrayBuffer();
    const closed = server.close(); // running requests are finished
    await sleep(100);
    socket.write(wav.subarray(1000));
    const answer = await readAll(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(JSON.parse(answer.slice(answer.indexOf("\r\n\r\n"))).mu.length).toBeGreaterThan(0);
    await closed;
  });

  test("a client that disconnects frees its place, running or waiting", async () => {
    const server = await running({ limits: { maxRunning: 1, maxQueued: 1, lendAfterMs: 60_000 } });
    const slow = await slowClient(server, 1);
    const left = new AbortController();
    const waiting = generate(server, { seed: 2 }, { signal: left.signal });
    await until(async () => (await metric(server.url, "sda_queued")) === 1);
    left.abort();
    await expect(waiting).rejects.toThrow();
    await until(async () => (await metric(server.url, "sda_queued")) === 0);
    slow.destroy();
    await idle(server);
    const seconds = await metric(server.url, "sda_generated_seconds_total");
    expect(seconds).toBe(0);
  });

  test("generation of a whole sound stops when its client disconnects", async () => {
    const server = await running({ limits: { maxRunning: 1 } });
    const left = new AbortController();
    const asked = fetch(`${server.url}${path}?format=json`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ durationS: 60, seed: 1 }),
      signal: left.signal,
    });
    await until(async () => (await metric(server.url, "sda_running")) === 1);
    left.abort();
    await expect(asked).rejects.toThrow();
    await idle(server);
    expect(await metric(server.url, "sda_generated_seconds_total")).toBe(0);
    expect(await metric(server.url, "sda_sound_bytes")).toBe(0);
  });

  test("a slow reader gets the whole sound", async () => {
    const server = await running();
    const slow = await slowClient(server, 5);
    await sleep(300);
    const parts: Buffer[] = [];
    const expected = await (await generate(server, { ...long, seed: 5 })).arrayBuffer();
    slow.on("data", (part) => parts.push(part));
    const length = () => parts.reduce((sum, part) => sum + part.length, 0);
    await until(() => length() > expected.byteLength);
    const all = Buffer.concat(parts);
    expect(all.subarray(all.indexOf("\r\n\r\n") + 4).equals(Buffer.from(expected))).toBe(true);
  });

  test("a client that reads nothing for too long is disconnected and frees its place", async () => {
    const server = await running({ limits: { maxRunning: 1, stallTimeoutMs: 100 } });
    const slow = await slowClient(server, 1);
    const closed = once(slow, "close");
    await idle(server);
    slow.resume();
    await closed;
    expect((await generate(server, { seed: 1 })).status).toBe(200);
  });

  test("clients that read nothing lend their places, and get the whole sound later", async () => {
    const server = await running({ limits: { maxRunning: 1, lendAfterMs: 50 } });
    const slow = await Promise.all([1, 2, 3].map((seed) => slowClient(server, seed)));
    const other = await generate(server, { seed: 4 });
    expect(other.status).toBe(200);
    await other.arrayBuffer();
    const lengths = slow.map(async (socket) => {
      let bytes = 0;
      let length = Number.POSITIVE_INFINITY;
      for await (const part of socket as AsyncIterable<Buffer>) {
        const head = /\r\ncontent-length: (\d+)[\s\S]*?\r\n\r\n/i.exec(part.toString("latin1"));
        if (bytes === 0 && head !== null) length = Number(head[1]) + head.index + head[0].length;
        bytes += part.length;
        if (bytes >= length) break;
      }
      return bytes - length;
    });
    expect(await Promise.all(lengths)).toEqual([0, 0, 0]);
    await idle(server);
  });

  test("of too many clients that read nothing, the first is disconnected", async () => {
    const server = await running({ limits: { maxRunning: 1, maxQueued: 2, lendAfterMs: 50 } });
    const slow = [await slowClient(server, 1), await slowClient(server, 2)];
    const closed = once(slow[0] as Socket, "close");
    slow.push(await slowClient(server, 3));
    await idle(server);
    slow[0]?.resume();
    await closed;
    expect(slow.slice(1).map(({ destroyed }) => destroyed)).toEqual([false, false]);
  });

  test("a client that reads a finished sound slowly lends its place", async () => {
    const server = await running({ limits: { maxRunning: 1, lendAfterMs: 50 } });
    const socket = await rawConnection(server.url);
    socket.write(head(JSON.stringify({ ...long, seed: 1, loudness: "peak" })));
    await once(socket, "readable");
    const other = await generate(server, { seed: 2 });
    expect((await other.arrayBuffer()).byteLength).toBeGreaterThan(100_000);
    expect(socket.destroyed).toBe(false);
  });

  test("a timeout is 503, or cuts the body short", async () => {
    const server = await running({ limits: { timeoutMs: 150 } });
    const whole = await fetch(`${server.url}${path}?format=json`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ durationS: 60, seed: 1 }),
    });
    const problem = checkProblem(
      whole.status,
      whole.headers.get("content-type"),
      await whole.text(),
    );
    expect([problem.status, problem.code]).toEqual([503, "ERR_TIMEOUT"]);
    const streamed = await generate(server, { durationS: 60, seed: 1 });
    if (streamed.status === 200) await expect(streamed.arrayBuffer()).rejects.toThrow();
    await idle(server);
  });

  test("concurrent requests give the same sounds as single ones", async () => {
    const server = await running();
    const seeds = Array.from({ length: 24 }, (_, i) => i % 3);
    const sounds = await Promise.all(
      seeds.map(async (seed) =>
        Buffer.from(await (await generate(server, { seed })).arrayBuffer()),
      ),
    );
    for (const [i, sound] of sounds.entries())
      expect(sound.equals(sounds[i % 3] as Buffer)).toBe(true);
  });
});

describe("connections", () => {
  /** Few enough for the usual limit of open files: this process has both ends. */
  const COUNT = count({ quick: 200, full: 2000 });

  test(`${COUNT} idle connections do not block others`, async () => {
    const server = await running();
    const { port } = new URL(server.url);
    const sockets = Array.from({ length: COUNT }, () => connect(Number(port), "127.0.0.1"));
    afterTest(() => {
      for (const socket of sockets) socket.destroy();
    });
    await Promise.all(sockets.map((socket) => once(socket, "connect")));
    for (const socket of sockets) socket.write("GET /api/health HTTP/1.1\r\nHost: localhost\r\n");
    const list = (await (await fetch(`${server.url}api/models`)).json()) as { total: number };
    expect(list.total).toBe(2);
    for (const socket of sockets) socket.write("\r\n");
    const answers = await Promise.all(
      sockets.map(async (socket) => String((await once(socket, "data"))[0]).slice(0, 15)),
    );
    expect(new Set(answers)).toEqual(new Set(["HTTP/1.1 200 OK"]));
  }, 120_000);

  test("connections beyond maxConnections are closed, and the server goes on", async () => {
    const server = await running({ maxConnections: 5 });
    const held = await Promise.all(Array.from({ length: 5 }, () => rawConnection(server.url)));
    await until(async () => {
      const socket = await rawConnection(server.url);
      socket.write("GET /api/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
      return (await readAll(socket).catch(() => "")) === "";
    });
    for (const socket of held) socket.destroy();
    await until(
      async () => (await fetch(`${server.url}api/health`).catch(() => null))?.status === 200,
    );
  });

  test.each([
    ["nonsense", "nonsense\r\n\r\n", 400],
    ["TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400],
    ["a too large head", `GET / HTTP/1.1\r\n${"X-A: b\r\n".repeat(8000)}`, 431],
    [
      "two lengths",
      "POST /api/models HTTP/1.1\r\nHost: localhost\r\n" +
        "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
      400,
    ],
    ["NUL in the address", "GET /api/models/\0 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400],
    ["no Host", "GET /api/models HTTP/1.1\r\n\r\n", 400],
  ])("invalid HTTP is answered: %s", async (_, text, status) => {
    const server = await running();
    const socket = await rawConnection(server.url);
    socket.write(Buffer.from(text, "latin1"));
    expect(await readAll(socket)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect((await fetch(`${server.url}api/health`)).status).toBe(200);
  });
});

describe.skipIf(!engineBuilt)("closing", () => {
  const TIMEOUT_MS = count({ quick: 1000, full: 2000 });

  test("finishes running and waiting work, refuses new work and ends event streams", async () => {
    const server = await running({ limits: { maxRunning: 1, lendAfterMs: 60_000 } });
    const listener = await fetch(`${server.url}api/events`);
    const kept = await rawConnection(server.url);
    kept.write("GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await once(kept, "data");
    const runs = await generate(server, { durationS: 20, seed: 1 });
    const waits = generate(server, { durationS: 1, seed: 2 });
    await until(async () => (await metric(server.url, "sda_queued")) === 1);
    const pending = await rawConnection(server.url);
    const text = head("{}");
    pending.write(text.slice(0, -2));
    await sleep(50);
    const closed = server.close();
    await listener.text(); // ends
    pending.write("{}");
    const late = await readAll(pending);
    expect(late).toMatch(/^HTTP\/1\.1 503 /);
    expect(late).toMatch(/\r\nconnection: close\r\n/i);
    expect(late).toContain("ERR_CLOSING");
    const { byteLength } = await runs.arrayBuffer();
    expect(String(byteLength)).toBe(runs.headers.get("content-length"));
    expect((await (await waits).arrayBuffer()).byteLength).toBeGreaterThan(100_000);
    await closed;
    await expect(fetch(`${server.url}api/health`)).rejects.toThrow();
    expect(server.close()).toBe(server.close());
  });

  test("stops work after shutdownTimeoutMs", async () => {
    const server = await running({ limits: { shutdownTimeoutMs: 100 } });
    const slow = await slowClient(server, 1);
    const closed = once(slow, "close");
    await server.close();
    slow.resume();
    await closed;
  });

  /** Clients that neither read nor send any more. */
  async function stuckClients(server: RunningServer): Promise<void> {
    await slowClient(server, 1);
    const upload = await rawConnection(server.url);
    upload.write(uploadHead("multipart/form-data; boundary=x", 1_000_000));
    upload.write('--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nabc');
    const encoding = await rawConnection(server.url);
    encoding.write(
      `POST /api/models/${PLUCKS_ID}/encode HTTP/1.1\r\nHost: localhost\r\n` +
        "Content-Type: audio/wav\r\nContent-Length: 1000\r\n\r\nRIFF",
    );
    (await rawConnection(server.url)).write("GET / HTTP/1.1\r\nHost: loc");
    await until(async () => (await metric(server.url, "sda_uploads")) === 2);
  }

  test.each(["127.0.0.1", "localhost"])(
    "at %s, ends in time, whatever clients do",
    async (host) => {
      const uploadDir = modelsFolder({});
      const server = await running({ host, uploadDir, limits: { shutdownTimeoutMs: TIMEOUT_MS } });
      await stuckClients(server);
      const begin = performance.now();
      await server.close();
      const elapsed = performance.now() - begin;
      expect(elapsed).toBeGreaterThan(TIMEOUT_MS / 2);
      expect(elapsed).toBeLessThan(TIMEOUT_MS + 1000);
      expect(readdirSync(uploadDir)).toEqual([]);
    },
  );

  test("both addresses of localhost have the limits, and end", async () => {
    vi.mocked(lookup).mockResolvedValueOnce(
      ["127.0.0.1", "127.0.0.2"].map((address) => ({ address, family: 4 })) as never,
    );
    const limits = { shutdownTimeoutMs: 1000 };
    const server = await running({ host: "localhost", maxConnections: 3, limits });
    const { port } = new URL(server.url);
    for (const address of ["127.0.0.1", "127.0.0.2"]) {
      const sockets = await Promise.all(
        [1, 2, 3].map(() => rawConnection(`http://${address}:${port}`)),
      );
      const [first] = sockets as [Socket, Socket, Socket];
      first.write("GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n");
      expect(String((await once(first, "data"))[0])).toContain("200 OK");
      expect(await readAll(await rawConnection(`http://${address}:${port}`))).toBe("");
      for (const socket of sockets) socket.write("GET / HTTP/1.1\r\nHost: loc");
    }
    const begin = performance.now();
    await server.close();
    expect(performance.now() - begin).toBeLessThan(5000);
    await expect(rawConnection(`http://127.0.0.2:${port}`)).rejects.toThrow("ECONNREFUSED");
  });

  test("rejects nothing into an application whose hooks have less time", async () => {
    const app = Fastify({ pluginTimeout: 1000 });
    const modelsDir = modelsFolder();
    const limits = { shutdownTimeoutMs: TIMEOUT_MS + 1000 };
    await app.register(sdaServer, { modelsDir, token: false, device: "cpu", limits });
    const url = `${await app.listen({ port: 0, host: "127.0.0.1" })}/`;
    await stuckClients({ url, close: async () => {} });
    const begin = performance.now();
    await app.close();
    expect(performance.now() - begin).toBeLessThan(TIMEOUT_MS + 2000);
  });

  test("finishes a running upload", async () => {
    const modelsDir = modelsFolder({});
    const server = await running({ modelsDir });
    const socket = await rawConnection(server.url);
    const { headers, payload } = form(bytesOf(plucks));
    socket.write(uploadHead(headers["content-type"], payload.length));
    socket.write(payload.subarray(0, 1_000_000));
    await sleep(200);
    const closed = server.close();
    socket.write(payload.subarray(1_000_000));
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 201 /);
    await closed;
  });

  test("an application closes as it does without the plugin", async () => {
    const app = await application();
    await app.inject({ method: "POST", url: `/${path}` });
    await app.close();
  });
});

describe("the work queue", () => {
  test("runs work in order, and at most maxRunning at once", async () => {
    const queue = new WorkQueue({ maxRunning: 2, maxQueued: 10 });
    const { signal } = new AbortController();
    const order: number[] = [];
    let most = 0;
    await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        queue.run(signal, async () => {
          order.push(i);
          most = Math.max(most, queue.running);
          await sleep(1);
        }),
      ),
    );
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect([most, queue.running, queue.queued]).toEqual([2, 0, 0]);
  });

  test("failed work frees its place", async () => {
    const queue = new WorkQueue({ maxRunning: 1, maxQueued: 10 });
    const { signal } = new AbortController();
    const failed = queue.run(signal, async () => {
      throw new Error("no");
    });
    const done = queue.run(signal, async () => "yes");
    await expect(failed).rejects.toThrow("no");
    expect(await done).toBe("yes");
  });

  test("aborted waiting work never runs, and the next work does", async () => {
    const queue = new WorkQueue({ maxRunning: 1, maxQueued: 10 });
    const left = new AbortController();
    const first = queue.run(new AbortController().signal, async () =>
      left.abort(new Error("left")),
    );
    const second = queue.run(left.signal, async () => "never");
    const third = queue.run(new AbortController().signal, async () => "yes");
    await expect(second).rejects.toThrow("left");
    expect([await first, await third]).toEqual([undefined, "yes"]);
    expect([queue.running, queue.queued]).toEqual([0, 0]);
  });

  test("work that lent its place comes back before work that waits", async () => {
    const queue = new WorkQueue({ maxRunning: 1, maxQueued: 10 });
    const { signal } = new AbortController();
    const order: string[] = [];
    const lender = queue.run(signal, async (place) => {
      place.lend(() => {});
      place.lend(() => {}); // does nothing
      await sleep(1);
      await place.back(signal);
      await place.back(signal); // does nothing
      order.push("back");
    });
    const others = ["first", "second"].map((name) =>
      queue.run(signal, async () => {
        await sleep(20);
        order.push(name);
      }),
    );
    await Promise.all([lender, ...others]);
    expect(order).toEqual(["first", "back", "second"]);
    expect([queue.running, queue.queued]).toEqual([0, 0]);
  });

  test("no place is lost when work ends while it waits to come back", async () => {
    const queue = new WorkQueue({ maxRunning: 1, maxQueued: 10 });
    const { signal } = new AbortController();
    let back: Promise<void> | undefined;
    let lendLate: (() => void) | undefined;
    await queue.run(signal, async (place) => {
      place.lend(() => {});
      await queue.run(signal, async () => {
        back = place.back(signal);
      });
      lendLate = () => place.lend(() => {});
    });
    await back;
    lendLate?.();
    expect([queue.running, queue.queued]).toEqual([0, 0]);
    expect(await queue.run(signal, async () => "yes")).toBe("yes");
  });
});
