import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ModelLibrary, updateModel } from "small-dataset-audio";
import { load, save } from "small-dataset-audio/torch";
import { describe, expect, test } from "vitest";
import { entry } from "../../test/library/support.js";
import { toGan, VOCODER } from "../../test/support/gan-content.js";
import {
  application,
  bytesOf,
  modelsFolder,
  PLUCKS_ID,
  plucks,
  problemOf,
  sharedApplication,
  TINY_ID,
  tiny,
} from "./support.js";

async function writeGan(path: string, ...facts: [vocoder?: typeof VOCODER, id?: string]) {
  await save(toGan((await load(tiny)) as Map<string, unknown>, ...facts), path);
}

async function manyModels(count: number): Promise<string> {
  const folder = modelsFolder({});
  const library = await ModelLibrary.open(folder);
  await library.addEntries(
    Array.from({ length: count }, (_, i) =>
      entry(i, {
        name: `Model ${i % 2 ? "odd" : "even"} ${i}`,
        tags: [i % 2 ? "Odd" : "even", `t${i}`],
      }),
    ),
  );
  return folder;
}

describe("GET /api/models", () => {
  test("returns pages in the library's order, newest first", async () => {
    const modelsDir = await manyModels(120);
    const app = await application({ modelsDir });
    const listed = (await ModelLibrary.open(modelsDir)).listAll();
    const expected = listed.map((one) => ({ ...one, generation: null })); // there are no files
    const first = (await app.inject("/api/models")).json();
    expect(first).toEqual({ models: expected.slice(0, 50), total: 120, page: 1, pageSize: 50 });
    const third = (await app.inject("/api/models?page=3&pageSize=50")).json();
    expect(third.models).toEqual(expected.slice(100));
    const beyond = (await app.inject("/api/models?page=4")).json();
    expect(beyond).toMatchObject({ models: [], total: 120, page: 4 });
  });

  test("shows generations and vocoders, also of a model by itself", async () => {
    const modelsDir = modelsFolder();
    await writeGan(join(modelsDir, "wires.distillgan"), VOCODER, "wires");
    const app = await application({ modelsDir });
    const facts = async (query: string) =>
      (await app.inject(`/api/models?${query}`))
        .json()
        .models.map((m: Record<string, unknown>) => [m["modelId"], m["generation"], m["vocoder"]]);
    const wires = ["wires", "distillgan", VOCODER];
    expect(await facts("sort=modelId&order=desc")).toEqual([
      wires,
      [PLUCKS_ID, "sda", null],
      [TINY_ID, "sda", null],
    ]);
    expect(await facts("sort=vocoder&pageSize=1")).toEqual([wires]);
    const one = (await app.inject("/api/models/wires")).json();
    expect(one).toMatchObject({ generation: "distillgan", vocoder: VOCODER });
    // The program trains the vocoder in place, and leaves the index alone.
    await writeGan(join(modelsDir, "wires.distillgan"), { ...VOCODER, epochs: 9 }, "wires");
    const trained = (await app.inject("/api/models/wires")).json();
    expect(trained.vocoder.epochs).toBe(9);
    const file = await app.inject("/api/models/wires/file");
    expect(file.headers["content-disposition"]).toBe('attachment; filename="Tiny.distillgan"');
    rmSync(join(modelsDir, "wires.distillgan"));
    expect(await facts("pageSize=1&sort=vocoder")).toEqual([["wires", null, VOCODER]]);
  });

  test("lists an index of a newer version, and changes nothing in it", async () => {
    const modelsDir = await manyModels(3);
    const index = join(modelsDir, "model_library.json");
    const newer = readFileSync(index, "utf8").replace('"version": 1', '"version": 3');
    writeFileSync(index, newer);
    const app = await application({ modelsDir });
    expect((await app.inject("/api/models")).json().total).toBe(3);
    const url = `/api/models/${entry(1).modelId}`;
    const problem = await problemOf(app, { method: "DELETE", url });
    expect([problem.status, problem.code]).toEqual([422, "ERR_SDA_VERSION"]);
    expect(readFileSync(index, "utf8")).toBe(newer);
  });

  test("searches, filters by tags and sorts", async () => {
    const app = await application({ modelsDir: await manyModels(20) });
    const names = async (query: string) =>
      (await app.inject(`/api/models?${query}`)).json().models.map((m: { name: string }) => m.name);
    expect(await names("query=EVEN+1&sort=name&order=asc")).toEqual([
      "Model even 10",
      "Model even 12",
      "Model even 14",
      "Model even 16",
      "Model even 18",
    ]);
    expect(await names("tags=T3&tags=t4&sort=name")).toEqual(["Model odd 3", "Model even 4"]);
    expect(await names("tags=odd&query=1&sort=fileSizeBytes&order=asc&pageSize=2")).toEqual([
      "Model odd 1",
      "Model odd 11",
    ]);
    expect(await names("query=nothing+like+it")).toEqual([]);
  });

  test.each([
    ["page", "page=0"],
    ["page", "page=1.5"],
    ["page", "page="],
    ["page", "page=true"],
    ["page", "page=1e3"],
    ["page", "page=1&page=2"],
    ["pageSize", "pageSize=201"],
    ["pageSize", "pageSize=-1"],
    ["sort", "sort=nothing"],
    ["sort", "sort=__proto__"],
    ["order", "order=up"],
    ["query", `query=${"x".repeat(1001)}`],
    ["query", "query=a&query=b"],
    ["tags", Array.from({ length: 101 }, () => "tags=a").join("&")],
    ["nothing", "nothing=1"],
  ])("names the wrong parameter %s", async (option, query) => {
    const app = await sharedApplication();
    const problem = await problemOf(app, { url: `/api/models?${query}` });
    expect([problem.status, problem.option]).toEqual([400, option]);
  });

  test("an unchanged list is 304", async () => {
    const modelsDir = modelsFolder();
    const app = await application({ modelsDir });
    const first = await app.inject("/api/models");
    const headers = { "if-none-match": String(first.headers["etag"]) };
    const second = await app.inject({ url: "/api/models", headers });
    expect([second.statusCode, second.body]).toEqual([304, ""]);
    await updateModel(TINY_ID, modelsDir, { name: "Other" });
    expect((await app.inject({ url: "/api/models", headers })).statusCode).toBe(200);
  });
});

test("tags are sorted by count, highest first", async () => {
  const modelsDir = await manyModels(3);
  const app = await application({ modelsDir });
  expect((await app.inject("/api/tags")).json().tags).toEqual([
    { tag: "even", count: 2 },
    { tag: "Odd", count: 1 },
    { tag: "t0", count: 1 },
    { tag: "t1", count: 1 },
    { tag: "t2", count: 1 },
  ]);
  await (await ModelLibrary.open(modelsDir)).remove(entry(1).modelId);
  expect((await app.inject("/api/tags")).json().tags).toHaveLength(3);
});

describe("GET /api/models/:id", () => {
  test("returns facts of the file and the index", async () => {
    const app = await application();
    const response = await app.inject(`/api/models/${PLUCKS_ID}`);
    expect(response.json()).toMatchObject({
      modelId: PLUCKS_ID,
      name: "Synthetic Plucks",
      filePath: "plucks.sda",
      sampleRate: 48000,
      latentDim: 6,
      hasEncoder: true,
      bytes: bytesOf(plucks).length,
      spectrogramConfig: { nMels: 128, fMax: null },
      componentLabels: ["Brightness", "", "", "", "", ""]
        .slice(0, 1)
        .concat(
          expect.any(String),
          expect.any(String),
          expect.any(String),
          expect.any(String),
          expect.any(String),
        ),
    });
    const { parameters, tensors, trainingConfig } = response.json();
    expect(parameters).toBeGreaterThan(100_000);
    expect(tensors).toBeGreaterThan(20);
    expect(trainingConfig).toBeTypeOf("object");
    const headers = { "if-none-match": `"other", W/${response.headers["etag"]}` };
    expect((await app.inject({ url: `/api/models/${PLUCKS_ID}`, headers })).statusCode).toBe(304);
  });

  test("a missing or damaged file is an error of that model only", async () => {
    const modelsDir = modelsFolder();
    const app = await application({ modelsDir });
    rmSync(join(modelsDir, "tiny.sda"));
    const gone = await problemOf(app, { url: `/api/models/${TINY_ID}` });
    expect([gone.status, gone.code]).toEqual([404, "ERR_SDA_NOT_FOUND"]);
    writeFileSync(join(modelsDir, "tiny.sda"), "<html>");
    const damaged = await problemOf(app, { url: `/api/models/${TINY_ID}` });
    expect([damaged.status, damaged.code]).toEqual([422, "ERR_SDA_FORMAT"]);
    expect((await app.inject(`/api/models/${PLUCKS_ID}`)).statusCode).toBe(200);
  });

  test("an entry whose path leads out of the folder is refused", async () => {
    const modelsDir = modelsFolder();
    const app = await application({ modelsDir });
    rmSync(join(modelsDir, "tiny.sda"));
    symlinkSync("/etc/passwd", join(modelsDir, "tiny.sda"));
    for (const path of ["", "/sliders", "/file"]) {
      const { status } = await problemOf(app, { url: `/api/models/${TINY_ID}${path}` });
      expect(status).toBe(422);
    }
  });
});

/** None of these is an id, and none may be used as a path. */
const tricks: [string, string][] = [
  ["nothing", "nothing"],
  ["..", ".."],
  ["%2e%2e", "%2e%2e"],
  ["..%2f..%2fetc%2fpasswd", "..%2f..%2fetc%2fpasswd"],
  ["%2e%2e%2ftiny.sda", "%2e%2e%2ftiny.sda"],
  ["..%5c..%5cwindows", "..%5c..%5cwindows"],
  ["tiny.sda", "tiny.sda"],
  ["%2Fetc%2Fpasswd", "%2Fetc%2Fpasswd"],
  ["%00", "%00"],
  [`${PLUCKS_ID}%00`, `${PLUCKS_ID}%00`],
  [`${PLUCKS_ID}%2f..`, `${PLUCKS_ID}%2f..`],
  ["model_library.json", "model_library.json"],
  ["__proto__", "__proto__"],
  ["constructor", "constructor"],
  ["%F0%9F%8E%B5", "%F0%9F%8E%B5"],
  ["long id", "x".repeat(400)],
  ["endless id", "x".repeat(5000)],
];
const routes = [
  ["GET", ""],
  ["PATCH", ""],
  ["DELETE", ""],
  ["GET", "/sliders"],
  ["GET", "/file"],
  ["POST", "/generate"],
  ["POST", "/encode"],
] as const;
describe.each(routes)("%s /api/models/:id%s", (method, path) => {
  test.each(tricks)("does not find %s", async (_, id) => {
    const app = await sharedApplication();
    const headers = { "content-type": path === "/encode" ? "audio/wav" : "application/json" };
    const request = method === "GET" || method === "DELETE" ? {} : { headers, payload: "{}" };
    const url = `/api/models/${id}${path}`;
    const response = await app.inject({ method, url, ...request });
    // The client resolves ".." before it sends the address, so another route may answer.
    expect([404, 405, 414]).toContain(response.statusCode);
    if (!/^(\.|%2e){2}$/.test(id) && id.length < 5000) {
      expect((await problemOf(app, { method, url, ...request })).status).toBe(404);
    }
  });
});

describe("GET /api/models/:id/sliders", () => {
  test("returns the library's sliders", async () => {
    const app = await application();
    const response = await app.inject(`/api/models/${PLUCKS_ID}/sliders`);
    const { modelId, half, sliders } = response.json();
    expect([modelId, half]).toEqual([PLUCKS_ID, 10]);
    expect(sliders).toHaveLength(6);
    expect(sliders[0]).toMatchObject({ index: 0, minStep: -10, maxStep: 10 });
    const headers = { "if-none-match": String(response.headers["etag"]) };
    const again = await app.inject({ url: `/api/models/${PLUCKS_ID}/sliders`, headers });
    expect(again.statusCode).toBe(304);
  });
});

describe("GET /api/models/:id/file", () => {
  const url = `/api/models/${PLUCKS_ID}/file`;

  test("returns the file under a safe name", async () => {
    const modelsDir = modelsFolder();
    const app = await application({ modelsDir });
    await updateModel(PLUCKS_ID, modelsDir, { name: 'a"b/..\\ü\r\nSet-Cookie: x' });
    const response = await app.inject(url);
    expect(response.rawPayload.equals(readFileSync(join(modelsDir, "plucks.sda")))).toBe(true);
    expect(response.headers).toMatchObject({
      "content-type": "application/octet-stream",
      "content-length": String(response.rawPayload.length),
      "content-disposition":
        'attachment; filename="a_b_u_Set-Cookie_x.sda"; ' +
        "filename*=UTF-8''a_b_%C3%BC_Set-Cookie_x.sda",
      "accept-ranges": "bytes",
    });
  });

  test.each([
    ["bytes=0-3", 206, 0, 4],
    ["bytes=10-", 206, 10, undefined],
    ["bytes=-7", 206, -7, undefined],
    ["bytes=5-999999999999", 206, 5, undefined],
    ["bytes=-99999999999", 206, 0, undefined],
    // Several ranges, malformed ranges and other units: the whole file
    ["bytes=0-3,5-6", 200, 0, undefined],
    ["bytes=9-3", 200, 0, undefined],
    ["bytes=-", 200, 0, undefined],
    ["lines=0-3", 200, 0, undefined],
    ["bytes=a-b", 200, 0, undefined],
  ])("%s", async (range, status, start, end) => {
    const app = await sharedApplication();
    const file = bytesOf(plucks);
    const expected = file.subarray(start < 0 ? file.length + start : start, end);
    const response = await app.inject({ url, headers: { range } });
    expect(response.statusCode).toBe(status);
    expect(response.rawPayload.equals(expected)).toBe(true);
    expect(response.headers["content-length"]).toBe(String(expected.length));
    if (status === 206) {
      const first = end === undefined ? file.length - expected.length : start;
      const last = end === undefined ? file.length - 1 : end - 1;
      expect(response.headers["content-range"]).toBe(`bytes ${first}-${last}/${file.length}`);
    }
  });

  test("a range outside the file is 416", async () => {
    const app = await sharedApplication();
    for (const range of ["bytes=99999999-", "bytes=-0"]) {
      const response = await app.inject({ url, headers: { range } });
      expect(response.statusCode).toBe(416);
      expect(response.headers["content-range"]).toBe(`bytes */${bytesOf(plucks).length}`);
    }
  });

  test("If-Range with another version returns the whole file", async () => {
    const app = await application();
    const etag = String((await app.inject({ method: "HEAD", url })).headers["etag"]);
    const part = (ifRange: string) =>
      app.inject({ url, headers: { range: "bytes=0-3", "if-range": ifRange } });
    expect((await part(etag)).statusCode).toBe(206);
    expect((await part('"other"')).statusCode).toBe(200);
    const known = { "if-none-match": etag };
    expect((await app.inject({ url, headers: known })).statusCode).toBe(304);
  });

  test("HEAD returns the length without a body", async () => {
    const app = await application();
    const { statusCode, headers, body } = await app.inject({ method: "HEAD", url });
    expect([statusCode, headers["content-length"], body]).toEqual([
      200,
      String(bytesOf(plucks).length),
      "",
    ]);
  });
});

test("a folder of other files than .sda without an index gets one", async () => {
  const modelsDir = modelsFolder({});
  await writeGan(join(modelsDir, "wires.DistillGAN"));
  const app = await application({ modelsDir });
  expect((await app.inject("/api/models")).json().total).toBe(1);
});

test("a folder of model files without an index gets one", async () => {
  const app = await application();
  expect((await app.inject("/api/models")).json().total).toBe(2);
});

test("a missing folder is refused at registration", async () => {
  const folder = modelsFolder({});
  await expect(application({ modelsDir: join(folder, "nothing") })).rejects.toMatchObject({
    code: "ERR_SDA_NOT_FOUND",
  });
  mkdirSync(join(folder, "made"));
  renameSync(join(folder, "made"), join(folder, "here"));
  await application({ modelsDir: join(folder, "here") });
});
