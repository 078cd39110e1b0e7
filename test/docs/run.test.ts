/** Blocks of ```js in the guides run unchanged with the built package and a model pads.sda. */
import { fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, readdirSync, renameSync, statSync, writeFileSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { engineBuilt } from "../support/native.js";
import { fixture, readText, root } from "./tables.js";
import { codeBlocks, workplace } from "./workplace.js";

function modelWorkplace(...packages: string[]): string {
  const folder = workplace(...packages);
  cpSync(fixture("models/tiny.sda"), join(folder, "pads.sda"));
  return folder;
}

function runIn(folder: string, code: string) {
  writeFileSync(join(folder, "code.mjs"), code);
  return spawnSync(process.execPath, ["code.mjs"], { cwd: folder, encoding: "utf8" });
}

const blocks = (name: string) => codeBlocks(readText(name));

const built = existsSync(join(root, "dist/index.js"));

describe.skipIf(!built || !engineBuilt)("serving.md", () => {
  const [cache, , , , stream, limits, ...others] = blocks("doc/serving.md") as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];

  test("has these snippets", () => expect(others).toEqual([]));

  test("a cache", () => {
    const ended = runIn(modelWorkplace(), cache);
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    expect(ended.stdout).toMatch(/^(1\.\d+|2) 1 \d{5,}\n$/);
  });

  test("a stream into a file, and an aborted stream", { timeout: 300_000 }, () => {
    const folder = modelWorkplace();
    expect(runIn(folder, stream)).toMatchObject({ status: 0, stdout: "", stderr: "" });
    // 24 bits at 48 kHz. The model's chunks determine the exact length.
    expect(statSync(join(folder, "pads.wav")).size / (3 * 48_000)).toBeGreaterThan(25);
    const leaving = stream.replace("const out =", 'left.abort(new Error("left"));\nconst out =');
    const ended = runIn(folder, leaving);
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain("Error: left");
  });

  test("worker threads share limits", () => {
    const worker = `
import { Worker } from "node:worker_threads";
new Worker(\`
import("small-dataset-audio").then(({ configureEngine }) => console.log(JSON.stringify(configureEngine())));
\`, { eval: true });`;
    const ended = runIn(modelWorkplace(), limits + worker);
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    expect(ended.stdout).toBe('4 32\n{"threads":4,"maxRequests":32}\n');
    const numbers = /`threads` is 1 to 64, .*`maxRequests` is 1 to 100,000/s;
    expect(readText("doc/serving.md")).toMatch(numbers);
  });

  test("a model can't be sent to another thread", () => {
    const code = `
import { loadModel } from "small-dataset-audio";
const model = await loadModel("pads.sda");
const sent = structuredClone(model);
console.log(typeof sent.generate, typeof sent.dispose);
model.dispose();`;
    expect(runIn(modelWorkplace(), code)).toMatchObject({
      status: 0,
      stdout: "undefined undefined\n",
    });
  });
});

describe.skipIf(!built || !engineBuilt)("the recipes of serving.md", () => {
  const [, express, next, hono] = blocks("doc/serving.md") as [string, string, string, string];
  let recipe: Recipe;

  const frameworks: [string, () => Promise<Recipe>][] = [
    ["Express", () => serve(express, "express")],
    ["Hono", () => serve(hono, "hono", "@hono/node-server")],
    ["Next.js", () => serve(next + HANDLER_SERVER, "@hono/node-server")],
  ];

  describe.each(frameworks)("%s", (_, start) => {
    beforeAll(async () => {
      recipe = await start();
    });
    afterAll(() => recipe.stop());

    test("a whole WAV file, the same for the same seed", async () => {
      const get = async (seed: number) => {
        const response = await fetch(`${recipe.url}?seed=${seed}`);
        expect(response.status).toBe(200);
        expect(response.headers.get("content-type")).toBe("audio/wav");
        const bytes = Buffer.from(await response.arrayBuffer());
        expect(bytes.length).toBe(Number(response.headers.get("content-length")));
        expect(bytes.readUInt32LE(4)).toBe(bytes.length - 8);
        return bytes;
      };
      const first = await get(5);
      expect(first.length / (3 * 48_000)).toBeGreaterThan(DURATION_S - 5);
      expect((await get(5)).equals(first)).toBe(true);
      expect((await get(6)).equals(first)).toBe(false);
      await recipe.modelsInUse(0);
    });

    test("an early error is a status", async () => {
      expect((await fetch(`${recipe.url}?seed=-1`)).status).toBe(400);
      const [path, elsewhere] = [join(recipe.folder, "pads.sda"), join(recipe.folder, "moved")];
      renameSync(path, elsewhere);
      expect((await fetch(recipe.url)).status).toBe(404);
      renameSync(elsewhere, path);
      await recipe.modelsInUse(0);
    });

    test("a client that leaves ends its stream, which frees the model and the engine", async () => {
      const clients = await Promise.all(
        [1, 2, 3].map((seed) => reading(`${recipe.url}?seed=${seed}`)),
      );
      await recipe.modelsInUse(1);
      clients[0]?.destroy();
      clients[1]?.destroy();
      // The third client still holds the model: its sound does not fit into the socket's buffers.
      await settled();
      expect(await recipe.ask("size")).toBe(1);
      clients[2]?.destroy();
      await recipe.modelsInUse(0);
    });

    test("a response without a body frees the model", async () => {
      const response = await fetch(recipe.url, { method: "HEAD" });
      expect(response.status).toBe(200);
      // Hono drops the stream, so the garbage collector frees the model.
      await vi.waitFor(async () => {
        expect(await recipe.ask("collect")).toBe(true);
        expect(await recipe.ask("size")).toBe(0);
      }, 100_000);
    });

    // The last one, because the limit stays.
    test("a full engine is 503, and a request afterwards is served", async () => {
      expect(await recipe.ask("maxRequests 1")).toBe(1);
      // Cancelled requests of the tests before may not have left the engine yet.
      const client = await vi.waitFor(() => reading(recipe.url), 100_000);
      expect((await fetch(recipe.url)).status).toBe(503);
      client.destroy();
      await recipe.modelsInUse(0);
      await vi.waitFor(async () => {
        const response = await fetch(recipe.url);
        expect(response.status).toBe(200);
        await response.body?.cancel();
      }, 100_000);
      await recipe.modelsInUse(0);
    });
  });
});

describe.skipIf(!built)("migration.md", () => {
  test("reads a file, and metadata alone", () => {
    const codes = blocks("doc/migration.md");
    const folder = modelWorkplace();
    const outputs = codes.map((code) => {
      const ended = runIn(folder, code);
      expect(ended).toMatchObject({ status: 0, stderr: "" });
      return ended.stdout;
    });
    expect(outputs).toEqual(["Tiny 3\n", expect.stringMatching(/^Tiny [0-9a-f-]{36}\n$/)]);
    expect(readdirSync(folder).sort()).toEqual(["code.mjs", "node_modules", "pads.sda"]);
  });
});

/** Longer than in the document, so that the sound does not fit into a socket's buffers. */
const DURATION_S = 60;

/** Calls a route handler as Next.js does: a web `Request` in, a web `Response` out. */
const HANDLER_SERVER = `
import { serve } from "@hono/node-server";
const server = serve({ fetch: GET, port: 8080 });
`;

/** Answers the test's questions about the recipe's cache and the engine. */
const WATCHED = `
import { configureEngine } from "small-dataset-audio";
process.on("message", async (question) => {
  if (question === "size") process.send(cache.size);
  if (question === "collect") {
    gc();
    process.send(true);
  }
  if (question === "maxRequests 1") process.send(configureEngine({ maxRequests: 1 }).maxRequests);
});
if (!server.listening) await new Promise((listening) => server.once("listening", listening));
process.send(server.address().port);
`;

interface Recipe {
  url: string;
  folder: string;
  ask(question: string): Promise<unknown>;
  /** Waits until the cache has this number of models. It keeps no idle model. */
  modelsInUse(count: number): Promise<void>;
  stop(): void;
}

/** Runs a recipe on a free port. */
async function serve(code: string, ...packages: string[]): Promise<Recipe> {
  const folder = modelWorkplace(...packages);
  const changed = [
    [/maxBytes: 256 \* 2 \*\* 20/, "maxBytes: 0"],
    [/durationS: 30/, `durationS: ${DURATION_S}`],
    [/\b8080\b/, "0"],
  ] as const;
  let text = code + WATCHED;
  for (const [pattern, replacement] of changed) {
    expect(text).toMatch(pattern);
    text = text.replace(pattern, replacement);
  }
  writeFileSync(join(folder, "code.mjs"), text);
  const child = fork(join(folder, "code.mjs"), { cwd: folder, execArgv: ["--expose-gc"] });
  const answer = async () => (await once(child, "message"))[0];
  const port = await answer();
  const ask = async (question: string) => {
    child.send(question);
    return answer();
  };
  return {
    url: `http://localhost:${port}/pads.wav`,
    folder,
    ask,
    modelsInUse: (count) => vi.waitFor(async () => expect(await ask("size")).toBe(count), 100_000),
    stop: () => child.kill(),
  };
}

/** Time for a server to notice that a client has left. */
async function settled(): Promise<void> {
  await new Promise((done) => setTimeout(done, 500));
}

/** A client that has read the beginning of the response and reads no more. */
async function reading(url: string): Promise<IncomingMessage> {
  const [response] = (await once(get(url), "response")) as [IncomingMessage];
  expect(response.statusCode).toBe(200);
  response.on("error", () => {}); // it is destroyed before its end
  await once(response, "readable");
  response.read(1);
  return response;
}
