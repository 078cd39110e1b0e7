import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  addModelFile,
  deleteModel,
  describeModel,
  ModelLibrary,
  type ModelMetadata,
  readMetadata,
  updateModel,
} from "small-dataset-audio";
import { load } from "small-dataset-audio/torch";
import { describe, expect, test, vi } from "vitest";
import { pickle } from "../../test/support/pickle-builder.js";
import { torchZip } from "../../test/support/zip-builder.js";
import {
  afterTest,
  application,
  bytesOf,
  checkProblem,
  checkpoint,
  form,
  metric,
  modelsFolder,
  PLUCKS_ID,
  plucks,
  problemOf,
  rawConnection,
  readAll,
  running,
  sharedApplication,
  TINY_ID,
  tiny,
  until,
  upload,
  uploadHead,
} from "./support.js";

const url = `/api/models/${PLUCKS_ID}`;
const visible = (folder: string) => readdirSync(folder).filter((name) => name.endsWith(".sda"));
const uploadsOf = () => readdirSync(tmpdir()).filter((name) => name.startsWith("sda-upload-"));

describe("PATCH /api/models/:id", () => {
  const change = (
    app: Awaited<ReturnType<typeof application>>,
    payload: object,
    ifMatch?: string,
  ) =>
    app.inject({ method: "PATCH", url, payload, headers: ifMatch ? { "if-match": ifMatch } : {} });

  test("changes the file and the library", async () => {
    const modelsDir = modelsFolder();
    const app = await application({ modelsDir });
    const changes = {
      name: "Änderung ✨",
      description: "",
      tags: ["a", "b"],
      componentLabels: ["1", "2", "3", "4", "5", ""],
    };
    const response = await change(app, changes);
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject(changes);
    const again = await app.inject(url);
    expect(again.body).toBe(response.body);
    expect(again.headers["etag"]).toBe(response.headers["etag"]);
    const path = join(modelsDir, "plucks.sda");
    expect(await readMetadata(path)).toMatchObject({ name: changes.name, tags: changes.tags });
    expect((await describeModel(path)).analysis?.componentLabels).toEqual(changes.componentLabels);
    const [before, after] = await Promise.all([load(plucks), load(path)]);
    const state = (file: unknown) => (file as Map<string, unknown>).get("model_state_dict");
    expect(state(after)).toEqual(state(before));
    expect((await app.inject(`${url}/sliders`)).json().sliders[0].label).toBe("1");
  });

  test("fields that the body does not name keep their values", async () => {
    const app = await application();
    const before = (await app.inject(url)).json();
    const { fileSizeBytes: _, bytes: __, ...after } = (await change(app, { name: "New" })).json();
    expect(before).toMatchObject({ ...after, name: before.name });
    expect((await change(app, {})).statusCode).toBe(200);
  });

  test.each<[string, object]>([
    ["name", { name: "" }],
    ["name", { name: "  " }],
    ["name", { name: 5 }],
    ["name", { name: null }],
    ["name", { name: "x".repeat(201) }],
    ["name", { name: "\ud800" }],
    ["description", { description: "x".repeat(10_001) }],
    ["tags", { tags: "a" }],
    ["tags.0", { tags: [1] }],
    ["tags", { tags: [" "] }],
    ["tags", { tags: new Array(101).fill("a") }],
    ["componentLabels", { componentLabels: ["one"] }],
    ["componentLabels.0", { componentLabels: [{}] }],
    ["modelId", { modelId: "other" }],
    ["filePath", { filePath: "../x.sda" }],
  ])("names the wrong field %s", async (option, payload) => {
    const modelsDir = modelsFolder();
    const app = await application({ modelsDir });
    const problem = await problemOf(app, { method: "PATCH", url, payload });
    expect([problem.status, problem.option]).toEqual([400, option]);
    expect(readFileSync(join(modelsDir, "plucks.sda")).equals(bytesOf(plucks))).toBe(true);
  });

  test.each(["", "{", "[]", "null", '"name"'])("a body of %s is refused", async (payload) => {
    const app = await sharedApplication();
    const headers = { "content-type": "application/json" };
    expect((await problemOf(app, { method: "PATCH", url, headers, payload })).status).toBe(400);
  });

  test("a request without a body is refused", async () => {
    const app = await sharedApplication();
    expect((await problemOf(app, { method: "PATCH", url })).status).toBe(400);
  });

  test("of several changes with the same If-Match, all but one get 412", async () => {
    const app = await application();
    const etag = String((await app.inject(url)).headers["etag"]);
    const answers = await Promise.all([
      change(app, { name: "One" }, etag),
      change(app, { name: "Two" }, etag),
      change(app, { name: "Three" }, etag),
    ]);
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([200, 412, 412]);
    const refused = answers.find(({ statusCode }) => statusCode === 412);
    checkProblem(412, refused?.headers["content-type"], refused?.body ?? "");
    const winner = answers.find(({ statusCode }) => statusCode === 200);
    expect((await app.inject(url)).json().name).toBe(winner?.json().name);
  });

  test("If-Match protects a change by another program", async () => {
    const modelsDir = modelsFolder();
    const app = await application({ modelsDir });
    const etag = String((await app.inject(url)).headers["etag"]);
    await updateModel(PLUCKS_ID, modelsDir, { name: "Theirs" });
    expect((await change(app, { name: "Mine" }, etag)).statusCode).toBe(412);
    expect((await change(app, { name: "Mine" }, '"nothing"')).statusCode).toBe(412);
    expect((await change(app, { name: "Mine" }, `W/${etag}`)).statusCode).toBe(412);
    expect((await app.inject(url)).json().name).toBe("Theirs");
    const now = String((await app.inject(url)).headers["etag"]);
    expect((await change(app, { name: "Mine" }, `"x", ${now}`)).statusCode).toBe(200);
    expect((await change(app, { name: "Anyway" }, "*")).statusCode).toBe(200);
  });
});

describe("DELETE /api/models/:id", () => {
  test("removes the file and the entry; the second time it is 404", async () => {
    const modelsDir = modelsFolder();
    const app = await application({ modelsDir });
    const first = await app.inject({ method: "DELETE", url });
    expect([first.statusCode, first.body]).toEqual([204, ""]);
    expect(visible(modelsDir)).toEqual(["tiny.sda"]);
    expect((await ModelLibrary.open(modelsDir)).get(PLUCKS_ID)).toBe(null);
    expect((await problemOf(app, { method: "DELETE", url })).status).toBe(404);
    expect((await app.inject("/api/models")).json().total).toBe(1);
  });

  test("If-Match protects a model that has changed", async () => {
    const modelsDir = modelsFolder();
    const app = await application({ modelsDir });
    const etag = String((await app.inject(url)).headers["etag"]);
    await updateModel(PLUCKS_ID, modelsDir, { name: "Theirs" });
    const stale = { method: "DELETE", url, headers: { "if-match": etag } } as const;
    expect((await problemOf(app, stale)).status).toBe(412);
    expect(visible(modelsDir)).toHaveLength(2);
    await deleteModel(PLUCKS_ID, modelsDir);
    expect((await problemOf(app, stale)).status).toBe(404);
  });
});

describe("POST /api/models", () => {
  test("a model file is added under a new file name", async () => {
    const modelsDir = modelsFolder({ plucks });
    const app = await application({ modelsDir });
    const fields: [string, string][] = [
      ["name", "My Tiny"],
      ["tags", "a"],
      ["tags", "b"],
      ["description", "d"],
    ];
    const response = await upload(app, bytesOf(tiny), fields, "../../evil.sda");
    expect(response.statusCode).toBe(201);
    const model = response.json();
    expect(model).toMatchObject({
      modelId: TINY_ID,
      name: "My Tiny",
      tags: ["a", "b"],
      filePath: "my_tiny.sda",
    });
    expect(response.headers["location"]).toBe(`/api/models/${TINY_ID}`);
    const found = await app.inject(String(response.headers["location"]));
    expect(found.body).toBe(response.body);
    expect(found.headers["etag"]).toBe(response.headers["etag"]);
    expect(visible(modelsDir).sort()).toEqual(["my_tiny.sda", "plucks.sda"]);
    const second = await upload(app, bytesOf(tiny));
    expect(second.json().modelId).not.toBe(TINY_ID);
    expect(second.json().name).toBe("Tiny");
  });

  test("a checkpoint becomes a model named after its file, with sliders", async () => {
    const modelsDir = modelsFolder({});
    const app = await application({ modelsDir });
    const response = await upload(
      app,
      bytesOf(checkpoint),
      [],
      "C:\\sounds\\My check\u0007point.v2.sda",
    );
    expect(response.statusCode).toBe(201);
    expect(response.json()).toMatchObject({ name: "My check point.v2", trainingEpochs: 3 });
    const id = response.json().modelId;
    const { sliders } = (await app.inject(`/api/models/${id}/sliders`)).json();
    expect(sliders.length).toBe(response.json().nActiveComponents);
  });

  const hostile = Buffer.from(
    torchZip(pickle(Buffer.from("cposix\nsystem\nX\x04\0\0\0echo\x85R", "latin1"))).bytes,
  );
  const flipped = Buffer.from(bytesOf(tiny));
  const at = flipped.indexOf("latent_dim");
  flipped[at] = (flipped[at] as number) ^ 1;

  test.each<[string, Buffer, number, string]>([
    ["HTML", Buffer.from("<!doctype html><title>404</title>"), 415, "ERR_SDA_FORMAT"],
    ["nothing", Buffer.alloc(0), 415, "ERR_SDA_FORMAT"],
    ["zeros", Buffer.alloc(100_000), 415, "ERR_SDA_FORMAT"],
    ["a hostile pickle", hostile, 422, "ERR_SDA_UNSAFE"],
    ["a truncated model", bytesOf(tiny).subarray(0, 20_000), 422, "ERR_SDA_CORRUPT"],
    ["a truncated checkpoint", bytesOf(checkpoint).subarray(0, 20_000), 422, "ERR_SDA_CORRUPT"],
    ["a damaged model", flipped, 422, "ERR_SDA_CORRUPT"],
    ["another torch file", bytesOf(join(tiny, "../../torch/nested.pt")), 415, "ERR_SDA_FORMAT"],
  ])("%s is refused and leaves no file", async (_, file, status, code) => {
    const modelsDir = modelsFolder();
    const app = await application({ modelsDir });
    const response = await upload(app, file);
    const problem = checkProblem(
      response.statusCode,
      response.headers["content-type"],
      response.body,
    );
    expect([problem.status, problem.code]).toEqual([status, code]);
    if (code === "ERR_SDA_UNSAFE") {
      expect(problem.detail).toBe("Blocked: this file tries to run code (posix.system).");
    }
    expect(visible(modelsDir).sort()).toEqual(["plucks.sda", "tiny.sda"]);
    expect(readdirSync(modelsDir).filter((name) => /tmp|upload|updat/.test(name))).toEqual([]);
    for (const folder of uploadsOf()) expect(readdirSync(join(tmpdir(), folder))).toEqual([]);
  });

  test.each<[string, [string, string][]]>([
    ["name", [["name", "x".repeat(201)]]],
    [
      "name",
      [
        ["name", "a"],
        ["name", "b"],
      ],
    ],
    ["description", [["description", "x".repeat(10_001)]]],
    ["description", [["description", "x".repeat(100_000)]]],
    ["tags", [["tags", "x".repeat(101)]]],
    ["tags", new Array(101).fill(["tags", "a"])],
    ["tags", new Array(10_000).fill(["tags", "a"])],
    ["modelId", [["modelId", "other"]]],
    ["__proto__", [["__proto__", "other"]]],
  ])("names the wrong form field %s", async (option, fields) => {
    const modelsDir = modelsFolder({});
    const app = await application({ modelsDir });
    const response = await upload(app, bytesOf(tiny), fields);
    const problem = checkProblem(
      response.statusCode,
      response.headers["content-type"],
      response.body,
    );
    expect([problem.status, problem.option]).toEqual([400, option]);
    expect(visible(modelsDir)).toEqual([]);
  });

  test.each<[string, Partial<ModelMetadata>]>([
    ["name", { name: "x".repeat(201) }],
    ["description", { description: "x".repeat(10_001) }],
    ["tags", { tags: ["x".repeat(101)] }],
    ["tags", { tags: new Array(101).fill("a") }],
    ["datasetName", { datasetName: "x".repeat(1001) }],
  ])(
    "a file with a too long %s is refused, unless the form has a shorter one",
    async (field, metadata) => {
      const elsewhere = modelsFolder({});
      const { filePath } = await addModelFile(tiny, elsewhere, { metadata });
      const file = readFileSync(join(elsewhere, filePath));
      const modelsDir = modelsFolder({});
      const app = await application({ modelsDir });
      const response = await upload(app, file);
      const type = response.headers["content-type"];
      const problem = checkProblem(response.statusCode, type, response.body);
      expect([problem.status, problem.code, problem.option]).toEqual([422, "ERR_SDA_LIMIT", field]);
      expect(visible(modelsDir)).toEqual([]);
      const given = await upload(app, file, [[field, "short"]]);
      // The form has no field for the data set.
      expect(given.statusCode).toBe(field === "datasetName" ? 400 : 201);
    },
  );

  test("uploadDir holds an upload until it is complete", async () => {
    const uploadDir = modelsFolder({});
    const modelsDir = modelsFolder({});
    const server = await running({ modelsDir, uploadDir: pathToFileURL(uploadDir) });
    const socket = await rawConnection(server.url);
    const { headers, payload } = form(bytesOf(plucks));
    socket.write(uploadHead(headers["content-type"], payload.length));
    socket.write(payload.subarray(0, 1_000_000));
    await until(() => readdirSync(uploadDir).some((name) => readdirSync(join(uploadDir, name))[0]));
    expect(readdirSync(modelsDir).filter((name) => name !== "model_library.json")).toEqual([]);
    socket.write(payload.subarray(1_000_000));
    await once(socket, "data");
    expect(visible(modelsDir)).toHaveLength(1);
    await server.close();
    expect(readdirSync(uploadDir)).toEqual([]);
  });

  test("malformed forms and other bodies are refused", async () => {
    const app = await application();
    const headers = { "content-type": "multipart/form-data; boundary=x" };
    const status = async (payload: string | Buffer, type = headers["content-type"]) =>
      (
        await problemOf(app, {
          method: "POST",
          url: "/api/models",
          headers: { "content-type": type },
          payload,
        })
      ).status;
    expect(await status("")).toBe(400);
    expect(await status("nothing like a form")).toBe(400);
    expect(
      await status('--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nabc'),
    ).toBe(400);
    expect(
      await status('--x\r\ncontent-disposition: form-data; name="name"\r\n\r\nabc\r\n--x--\r\n'),
    ).toBe(400);
    expect(
      await status(
        '--x\r\ncontent-disposition: form-data; name="other"; filename="a"\r\n\r\nabc\r\n--x--\r\n',
      ),
    ).toBe(400);
    expect(await status("x", "multipart/form-data")).toBe(400);
    expect(await status("{}", "application/json")).toBe(415);
    expect(await status("x", "application/octet-stream")).toBe(415);
    expect(await status("x", "text/plain")).toBe(415);
    const { headers: two, payload } = form(bytesOf(tiny));
    const end = payload.lastIndexOf("--\r\n");
    const twice = Buffer.concat([
      payload.subarray(0, end),
      Buffer.from("\r\n"),
      payload.subarray(payload.indexOf("\r\n") + 2),
    ]);
    expect(await status(twice, two["content-type"])).toBe(400);
  });

  const part = (disposition: string, content: string) =>
    `--x\r\ncontent-disposition: ${disposition}\r\n\r\n${content}\r\n`;

  test.each([
    ["a file in another field", part('form-data; name="other"; filename="a"', "abc")],
    ["a file without a field", part('form-data; filename="a"', "abc")],
    ["a part of another kind", part("attachment", "y".repeat(60_000))],
    ["a text", part('form-data; name="name"', "abc")],
  ])("a form that ends in %s is answered, complete or truncated", async (_, last) => {
    const server = await running();
    const whole = `${part('form-data; name="description"', "abc")}${last}--x--\r\n`;
    for (const missing of [6, 8, 0]) {
      const socket = await rawConnection(server.url);
      socket.write(uploadHead("multipart/form-data; boundary=x", whole.length));
      socket.write(whole.slice(0, whole.length - missing));
      if (missing > 0) await readAll(socket.end());
      else expect(String(await once(socket, "data"))).toMatch(/^HTTP\/1\.1 400 /);
    }
    expect((await fetch(`${server.url}api/health`)).status).toBe(200);
    expect(await metric(server.url, "sda_uploads")).toBe(0);
  });

  test("a part of another kind is skipped, wherever it is", async () => {
    const app = await application({ modelsDir: modelsFolder({}) });
    const other = part("attachment", "y".repeat(60_000)).replaceAll(
      "--x",
      "------sda-test-boundary",
    );
    const { headers, payload } = form(bytesOf(tiny));
    const end = payload.lastIndexOf("------sda-test-boundary--");
    const forms = [
      [Buffer.from(other), payload],
      [payload.subarray(0, end), Buffer.from(other), payload.subarray(end)],
    ];
    for (const parts of forms) {
      const request = { headers, payload: Buffer.concat(parts) };
      const response = await app.inject({ method: "POST", url: "/api/models", ...request });
      expect(response.statusCode).toBe(201);
    }
  });

  test.each([
    ["in UTF-8", "ピアノ.pt", "ピアノ"],
    ["with quotes as browsers send them", "a %22b%22.pt", 'a "b"'],
    ["with quotes as curl sends them", 'a \\"b\\".pt', 'a "b"'],
  ])("a file name %s is read", async (_, sent, name) => {
    const app = await application({ modelsDir: modelsFolder({}) });
    const response = await upload(app, bytesOf(checkpoint), [], sent);
    expect(response.json()).toMatchObject({ name });
  });

  test("a too large upload is 413, with and without Content-Length", async () => {
    const modelsDir = modelsFolder({});
    const limits = { maxUploadBytes: 50_000 };
    const app = await application({ modelsDir, limits });
    const response = await upload(app, bytesOf(tiny));
    expect(response.statusCode).toBe(413);

    const server = await running({ modelsDir, limits });
    const socket = await rawConnection(server.url);
    socket.write(uploadHead("multipart/form-data; boundary=x", 999_999_999));
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 413 /);
    const { headers, payload } = form(bytesOf(tiny));
    const sent = await fetch(`${server.url}api/models`, {
      method: "POST",
      headers,
      body: new ReadableStream({
        start(controller) {
          controller.enqueue(payload);
          controller.close();
        },
      }),
      duplex: "half",
    } as RequestInit);
    expect(sent.status).toBe(413);
    expect(visible(modelsDir)).toEqual([]);
  });

  test("an upload of a client that disconnects leaves no file", async () => {
    const modelsDir = modelsFolder({});
    const server = await running({ modelsDir });
    const socket = await rawConnection(server.url);
    const { headers, payload } = form(bytesOf(plucks));
    socket.write(uploadHead(headers["content-type"], payload.length));
    socket.write(payload.subarray(0, 1_000_000));
    const partial = () => uploadsOf().some((name) => readdirSync(join(tmpdir(), name)).length > 0);
    await until(partial);
    socket.destroy();
    await until(() => !partial());
    expect(visible(modelsDir)).toEqual([]);
    expect((await fetch(`${server.url}api/health`)).status).toBe(200);
  });

  const { headers: formHeaders, payload: formBytes } = form(bytesOf(plucks), [["name", "Slow"]]);
  const contentOf = (folder: string) =>
    readdirSync(folder).flatMap((name) => readdirSync(join(folder, name)));

  test.each([
    ["in a field", formBytes.indexOf("Slow") + 2],
    ["in the file", 1_000_000],
  ])("a sender that stalls %s is answered, and its place is free", async (_, sent) => {
    const uploadDir = modelsFolder({});
    const modelsDir = modelsFolder({});
    const limits = { uploadTimeoutMs: 500, maxUploads: 1 };
    // Without a `requestTimeout`, so that only the plugin can end the request.
    const app = await application({ modelsDir, uploadDir, limits });
    const address = await app.listen({ port: 0, host: "127.0.0.1" });
    const socket = await rawConnection(address);
    socket.write(uploadHead(formHeaders["content-type"], formBytes.length));
    socket.write(formBytes.subarray(0, sent));
    const [answer] = await once(socket, "data");
    expect(String(answer)).toMatch(/^HTTP\/1\.1 503 /);
    expect(contentOf(uploadDir)).toEqual([]);
    expect((await upload(app, bytesOf(tiny))).statusCode).toBe(201);
    expect(visible(modelsDir)).toHaveLength(1);
  });

  test("an endless file is refused as soon as it is too large", async () => {
    const uploadDir = modelsFolder({});
    const limits = { maxUploadBytes: 100_000 };
    const server = await running({ modelsDir: modelsFolder({}), uploadDir, limits });
    const socket = await rawConnection(server.url);
    socket.write(
      "POST /api/models HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n" +
        `Content-Type: ${formHeaders["content-type"]}\r\n\r\n`,
    );
    const part = formBytes.subarray(0, 200_000);
    socket.write(Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part]));
    const [answer] = await once(socket, "data"); // the body has not ended
    expect(String(answer)).toMatch(/^HTTP\/1\.1 413 /);
    expect(contentOf(uploadDir)).toEqual([]);
  });

  test.each([
    ["that is missing", "/no/such/folder", "ENOENT"],
    ["that is a file", tiny, "ENOTDIR"],
    ["that is read-only", "/proc", "ENOENT"],
  ])("with a temporary folder %s, all but uploads works", async (_, folder, code) => {
    const modelsDir = modelsFolder();
    vi.stubEnv("TMPDIR", folder);
    afterTest(() => vi.unstubAllEnvs());
    const app = await application({ modelsDir });
    expect((await app.inject("/api/models")).json().total).toBe(2);
    const response = await upload(app, bytesOf(tiny));
    vi.unstubAllEnvs();
    const { headers, statusCode, body } = response;
    const problem = checkProblem(statusCode, headers["content-type"], body);
    expect(problem).toMatchObject({ status: 503, code });
    expect(problem.detail).toContain("TMPDIR");
  });

  test("a new server removes the upload folders of killed ones", async () => {
    const modelsDir = modelsFolder({});
    const first = await running({ modelsDir });
    await (
      await fetch(`${first.url}api/models`, { method: "POST", ...formOf(bytesOf(tiny)) })
    ).text();
    const [own] = uploadsOf();
    // A folder of a process that does not exist
    const stale = join(tmpdir(), (own as string).replace(/-\d+-/, "-999999999-"));
    mkdirSync(stale);
    writeFileSync(join(stale, "half.tmp"), "half");
    await running({ modelsDir });
    expect(existsSync(stale)).toBe(false);
    expect(existsSync(join(tmpdir(), own as string))).toBe(true);
    await first.close();
    expect(existsSync(join(tmpdir(), own as string))).toBe(false);
  });
});

function formOf(file: Buffer): RequestInit {
  const { headers, payload } = form(file);
  return { headers, body: payload };
}

test("a model can be deleted while its sound is streamed", async () => {
  const modelsDir = modelsFolder();
  const server = await running({ modelsDir });
  const response = await fetch(`${server.url}api/models/${PLUCKS_ID}/generate`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ durationS: 20, seed: 1 }),
  });
  const gone = await fetch(`${server.url}api/models/${PLUCKS_ID}`, { method: "DELETE" });
  expect(gone.status).toBe(204);
  const { byteLength } = await response.arrayBuffer();
  expect(String(byteLength)).toBe(response.headers.get("content-length"));
});
