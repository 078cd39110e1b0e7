/** examples/server.mjs, unchanged, with the built package. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel, writeWav } from "../../lib/index.js";
import { temporaryFolder } from "../support/folder.js";
import { engineBuilt } from "../support/native.js";
import { bundledModel } from "./run.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const SECONDS = 60;

/** Runs inside the server: sets up its engine and reports its CPU time in milliseconds. */
const PROBE = `
import { configureEngine } from "small-dataset-audio";
process.on("message", (settings) => {
  configureEngine(settings);
  const { user, system } = process.cpuUsage();
  process.send((user + system) / 1000);
});
`;

describe.skipIf(!engineBuilt || !existsSync(join(root, "dist/index.js")))("the server", () => {
  let server: ChildProcess;
  let url: string;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "sda-test-"));
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(root, join(folder, "node_modules/small-dataset-audio"), "dir");
    mkdirSync(join(folder, "models"));
    cpSync(bundledModel, join(folder, "models/plucks_1-2.sda"));
    cpSync(bundledModel, join(folder, "outside.sda"));
    writeFileSync(join(folder, "models/damaged.sda"), "not a model");
    cpSync(join(root, "examples/server.mjs"), join(folder, "server.mjs"));
    writeFileSync(join(folder, "probe.mjs"), PROBE);
    server = fork("server.mjs", ["models", "0"], {
      cwd: folder,
      execArgv: ["--import", "./probe.mjs"],
      stdio: ["ignore", "pipe", "inherit", "ipc"],
    });
    const [line] = await once(server.stdout as NodeJS.ReadableStream, "data");
    url = String(line).trim();
  });
  afterAll(async () => {
    server.kill();
    if (server.exitCode === null) await once(server, "exit");
    rmSync(folder, { recursive: true });
  });

  const get = (query: string, options: RequestInit = {}) => fetch(`${url}/${query}`, options);

  async function cpu(settings = {}): Promise<number> {
    server.send(settings);
    const [milliseconds] = await once(server, "message");
    return milliseconds;
  }

  /** The CPU time that the server takes from now until it is idle. */
  async function cpuUntilIdle(): Promise<number> {
    const begin = await cpu();
    for (let before = begin; ; ) {
      await sleep(200);
      const now = await cpu();
      if (now - before < 40) return now - begin;
      before = now;
    }
  }

  it("gives the WAV file of what the model generates", async () => {
    const model = await loadModel(bundledModel, { device: "cpu" });
    const options = { durationS: 3, seed: 7, sliders: [5, -3, 0, 0, 0, 0] };
    const expected = join(temporaryFolder(), "a.wav");
    await writeWav(expected, await model.generate({ ...options, loudness: "running" }));
    await model.disposeAsync();

    const response = await get("plucks_1-2.wav?duration=3&seed=7&sliders=5,-3,0,0,0,0");
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("audio/wav");
    const file = readFileSync(expected);
    expect(response.headers.get("content-length")).toBe(String(file.length));
    expect(Buffer.from(await response.arrayBuffer()).equals(file)).toBe(true);
  });

  it("gives many at once, of one second without a duration", async () => {
    const bodies = await Promise.all(
      Array.from({ length: 8 }, async () => (await get("plucks_1-2.wav?seed=1")).arrayBuffer()),
    );
    for (const body of bodies) {
      expect(body.byteLength).toBeGreaterThan(44 + 47_000 * 3);
      expect(Buffer.from(body).equals(Buffer.from(bodies[0] as ArrayBuffer))).toBe(true);
    }
  });

  it.each([
    ["seed", "seed=x"],
    ["seed", "seed="],
    ["seed", "seed=-1"],
    ["seed", "seed=1.5"],
    ["seed", "seed=1e99"],
    ["durationS", "duration=0"],
    ["durationS", "duration=61"],
    ["durationS", "duration=long"],
    ["sliders", "sliders="],
    ["sliders", "sliders=1"],
    ["sliders", "sliders=0,,0,0,0,0"],
    ["sliders", "sliders=99,0,0,0,0,0"],
  ])("says what is wrong with the %s of ?%s", async (option, query) => {
    const response = await get(`plucks_1-2.wav?${query}`);
    expect(response.status).toBe(400);
    expect(await response.text()).toContain(option);
  });

  /** Sends a request with this exact path and does not read the answer. */
  function ask(path: string): Socket {
    const socket = connect(Number(new URL(url).port), "localhost");
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    return socket;
  }

  async function statusOf(path: string): Promise<number> {
    const socket = ask(path);
    const [answer] = await once(socket, "data");
    socket.destroy();
    return Number(/^HTTP\/1\.1 (\d+)/.exec(String(answer))?.[1]);
  }

  it.each([
    "/nothing.wav",
    "/",
    "//",
    "/.wav",
    "/plucks_1-2",
    "/plucks_1-2.sda",
    "/plucks_1-2.wav/",
    "/models/plucks_1-2.wav",
    "/./../outside.wav",
    "/../outside.wav",
    "/..%2foutside.wav",
    "/%2e%2e%2foutside.wav",
    "/..%5coutside.wav",
    "/..\\outside.wav",
    "/outside.sda%00.wav",
    "http://localhost/outside.wav",
  ])("does not know %s", async (path) => {
    expect(await statusOf(path)).toBe(404);
  });

  it("does not know a name longer than a file's", async () => {
    expect(await statusOf(`/${"x".repeat(5000)}.wav`)).toBe(404);
  });

  it("knows the path of which these are variants", async () => {
    expect(await statusOf("/plucks_1-2.wav?duration=0.1")).toBe(200);
  });

  it("does not reveal what is wrong with a file", async () => {
    const response = await get("damaged.wav");
    expect(response.status).toBe(500);
    expect(await response.text()).toBe("");
  });

  it("waits for a client that does not read; answers 503 to others when there is no room", async () => {
    await cpu({ maxRequests: 1 });
    const client = ask(`/plucks_1-2.wav?duration=${SECONDS}`);
    try {
      await once(client, "readable");
      await cpuUntilIdle();
      const second = await get("plucks_1-2.wav");
      expect(second.status).toBe(503);
      expect(Number(second.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(await second.text()).toBe("");
      client.destroy();
      while ((await get("plucks_1-2.wav")).status !== 200) await sleep(20);
    } finally {
      client.destroy();
      await cpu({ maxRequests: 128 });
    }
  });

  it("stops the work of a client that leaves", async () => {
    const query = `plucks_1-2.wav?duration=${SECONDS}&seed=`;
    await cpuUntilIdle();
    const begin = await cpu();
    const { byteLength } = await (await get(`${query}0`)).arrayBuffer();
    expect(byteLength).toBeGreaterThan(8_000_000);
    const whole = (await cpu()) - begin;

    const before = await cpu();
    const clients = Array.from({ length: 6 }, async (_, seed) => {
      const client = new AbortController();
      const response = get(query + seed, { signal: client.signal });
      if (seed % 2 === 0) {
        await (await response).body?.getReader().read();
        client.abort();
      } else {
        // Leave before any byte has come
        await sleep(20);
        client.abort();
        await response.catch(() => {});
      }
    });
    await Promise.all(clients);
    await cpuUntilIdle();
    const taken = (await cpu()) - before;
    expect(taken).toBeLessThan((6 * whole) / 3);
    expect((await get("plucks_1-2.wav")).status).toBe(200);
  });
});
