/** The plugin in an application, and `serve`. */

import cors from "@fastify/cors";
import helmet from "@fastify/helmet";
import multipart from "@fastify/multipart";
import swagger from "@fastify/swagger";
import Fastify from "fastify";
import { GENERATION_LIMITS } from "small-dataset-audio";
import { describe, expect, test } from "vitest";
import sdaServer, { sdaServer as named, serve } from "../src/index.js";
import { pageFolder } from "../src/page.js";
import {
  afterTest,
  application,
  bytesOf,
  checkProblem,
  form,
  modelsFolder,
  PLUCKS_ID,
  plucks,
  problemOf,
  running,
  TINY_ID,
  tiny,
  upload,
} from "./support.js";

function host() {
  const app = Fastify();
  afterTest(() => app.close());
  return app;
}

test("three lines embed the plugin", async () => {
  const app = Fastify();
  app.register(sdaServer, { modelsDir: modelsFolder() });
  const address = await app.listen({ port: 0 });
  afterTest(() => app.close());
  const list = (await (await fetch(`${address}/api/models`)).json()) as { total: number };
  expect(list.total).toBe(2);
  expect(named).toBe(sdaServer);
});

test("the application's own routes do not change", async () => {
  const plain = host();
  const app = host();
  await app.register(sdaServer, { modelsDir: modelsFolder() });
  for (const instance of [plain, app]) {
    instance.get("/hello", async () => ({ hello: "you", nan: Number.NaN, extra: 1 }));
    instance.post("/echo", async (request) => request.body);
    instance.get("/broken", async () => {
      throw new Error("in their words");
    });
  }
  const requests = [
    { url: "/hello", headers: { host: "anything.example" } },
    { url: "/broken" },
    { url: "/nothing" },
    { url: "/models" },
    { method: "POST", url: "/echo", payload: { a: 1 } },
    {
      method: "POST",
      url: "/echo",
      headers: { "content-type": "text/plain", origin: "https://a.example" },
      payload: "text",
    },
    { method: "POST", url: "/echo", headers: { "content-type": "application/json" }, payload: "{" },
    { method: "DELETE", url: "/hello" },
    { url: "/api2/models" },
  ] as const;
  for (const request of requests) {
    const [expected, response] = [await plain.inject(request), await app.inject(request)];
    const { date: _, ...headers } = response.headers;
    expect({ ...expected.headers, date: undefined }).toEqual({ ...headers, date: undefined });
    expect([response.statusCode, response.body]).toEqual([expected.statusCode, expected.body]);
  }
});

test("the application's routes win where paths are equal", async () => {
  const app = host();
  app.register(sdaServer, { modelsDir: modelsFolder() });
  app.get("/", async () => "home");
  app.get("/metrics", async () => "theirs");
  expect((await app.inject("/")).body).toBe("home");
  expect((await app.inject("/metrics")).body).toBe("theirs");
  expect((await app.inject("/api/metrics")).body).toContain("sda_models 2");
  expect((await app.inject("/api/openapi.json")).json().openapi).toBe("3.1.0");
});

test.each(["before", "after"])(
  "a route for all addresses, added %s, leaves the API's",
  async (when) => {
    const app = host();
    if (when === "before") app.get("/*", async () => "all");
    await app.register(sdaServer, { modelsDir: modelsFolder() });
    if (when === "after") app.get("/*", async () => "all");
    expect((await app.inject("/other")).body).toBe("all");
    for (const method of ["GET", "HEAD", "POST", "DELETE"] as const) {
      const response = await app.inject({ method, url: "/api/nothing" });
      expect(response.statusCode).toBe(404);
      expect(response.headers["content-type"]).toContain("application/problem+json");
    }
    expect((await app.inject({ method: "DELETE", url: "/api/health" })).statusCode).toBe(405);
  },
);

test("routes of sounds and files ask @fastify/compress to leave them alone", async () => {
  const app = host();
  const left: string[] = [];
  app.addHook("onRoute", (route) => {
    if ((route as { compress?: unknown }).compress === false) left.push(route.url);
  });
  await app.register(sdaServer, { modelsDir: modelsFolder() });
  expect([...new Set(left)].sort()).toEqual([
    "/api/models/:id/file",
    "/api/models/:id/generate",
    "/api/sounds/:soundId",
  ]);
});

test("works beside helmet, swagger and cors of the application", async () => {
  const app = host();
  await app.register(helmet);
  await app.register(swagger, { openapi: { info: { title: "Theirs", version: "1" } } });
  await app.register(cors, { origin: "https://theirs.example" });
  await app.register(sdaServer, { modelsDir: modelsFolder(), cors: ["https://ours.example"] });
  await app.ready();
  expect((await app.inject("/openapi.json")).json().info.title).toBe("Small DataSet Audio");
  const response = await app.inject("/api/models");
  expect(response.headers["content-security-policy"]).toBe(
    "default-src 'none';frame-ancestors 'none'",
  );
  expect(response.headers["access-control-allow-origin"]).toBe("https://theirs.example");
});

/** Parsers as @fastify/multipart and other plugins register them for a whole application. */
const PARSED_TYPES = ["multipart/form-data", "audio/wav", "application/json", "text/plain", "*"];

test("the application's body parsers neither stop the plugin nor read its bodies", async () => {
  const app = host();
  const types = PARSED_TYPES.filter((type) => type !== "application/json");
  app.addContentTypeParser(types, (_request, _payload, done) => done(null, "theirs"));
  app.addContentTypeParser(
    "application/json",
    { parseAs: "buffer", bodyLimit: 5 },
    (_request, _body, done) => done(null, "theirs"),
  );
  await app.register(sdaServer, { modelsDir: modelsFolder({ plucks }), token: false });
  app.post("/theirs", async (request) => request.body);

  const added = await upload(app, bytesOf(tiny));
  expect([added.statusCode, added.json().modelId]).toEqual([201, TINY_ID]);
  const url = `/api/models/${TINY_ID}`;
  const changed = await app.inject({ method: "PATCH", url, payload: { name: "New" } });
  expect([changed.statusCode, changed.json().name]).toEqual([200, "New"]);
  for (const type of ["text/plain", "application/x-other"]) {
    const headers = { "content-type": type };
    const { status } = await problemOf(app, { method: "PATCH", url, headers, payload: "text" });
    expect(status).toBe(415);
  }
  for (const type of PARSED_TYPES.slice(0, 2)) {
    const headers = { "content-type": `${type}; boundary=x` };
    const response = await app.inject({ method: "POST", url: "/theirs", headers, payload: "x" });
    expect(response.body).toBe("theirs");
  }
});

test.each([{}, { attachFieldsToBody: true }])(
  "an application with @fastify/multipart, options %j, takes uploads of both",
  async (options) => {
    const app = host();
    await app.register(multipart, options);
    await app.register(sdaServer, { modelsDir: modelsFolder({ plucks }), token: false });
    app.post("/theirs", async (request) => {
      if (!request.body) return (await request.file())?.fieldname;
      return Object.keys(request.body);
    });
    const added = await upload(app, bytesOf(tiny));
    expect([added.statusCode, added.json().modelId]).toEqual([201, TINY_ID]);
    const theirs = await app.inject({ method: "POST", url: "/theirs", ...form(bytesOf(tiny)) });
    expect([theirs.statusCode, theirs.body]).toEqual([200, expect.stringContaining("file")]);
  },
);

test("two registrations are independent of each other", async () => {
  const app = host();
  await app.register(sdaServer, { modelsDir: modelsFolder({ plucks }), prefix: "/one" });
  await app.register(sdaServer, {
    modelsDir: modelsFolder({ tiny }),
    prefix: "/two/deep",
    token: "x",
  });
  const ids = async (prefix: string) =>
    (await app.inject(`${prefix}/models`)).json().models.map((m: { modelId: string }) => m.modelId);
  expect(await ids("/one")).toEqual([PLUCKS_ID]);
  expect(await ids("/two/deep")).toEqual([TINY_ID]);
  expect(
    (await app.inject({ method: "DELETE", url: `/two/deep/models/${TINY_ID}` })).statusCode,
  ).toBe(401);
  expect((await app.inject("/one/metrics")).body).not.toContain("/two/deep");
  expect((await app.inject("/two/metrics")).body).toContain("/two/deep/models");
  const paths = Object.keys((await app.inject("/two/openapi.json")).json().paths);
  expect(paths).toContain("/two/deep/models/{id}");
  expect(paths.some((path) => path.startsWith("/one"))).toBe(false);
  const made = await app.inject({
    method: "POST",
    url: `/one/models/${PLUCKS_ID}/generate?format=json`,
  });
  expect(made.json().url).toMatch(/^\/one\/sounds\//);
  expect((await app.inject(made.json().url)).statusCode).toBe(200);
});

test.each([
  ["modelsDir", {}],
  ["modelsDir", { modelsDir: 5 }],
  ["prefix", { prefix: "api" }],
  ["prefix", { prefix: "/" }],
  ["prefix", { prefix: "/a/:b" }],
  ["token", { token: "" }],
  ["authorize", { authorize: true }],
  ["cors", { cors: "https://a.example" }],
  ["cors", { cors: ["a.example"] }],
  ["allowedHosts", { allowedHosts: "a" }],
  ["limits.maxRuning", { limits: { maxRuning: 1 } }],
  ["limits.maxRunning", { limits: { maxRunning: 0 } }],
  ["limits.maxDurationS", { limits: { maxDurationS: 61 } }],
  ["limits.timeoutMs", { limits: { timeoutMs: "1" } }],
  ["pollMs", { pollMs: 0 }],
  ["uploadDir", { uploadDir: 5 }],
  ["uploadDir", { uploadDir: "/no/such/folder" }],
])("an invalid %s is refused", async (option, options) => {
  const modelsDir = option === "modelsDir" ? {} : { modelsDir: modelsFolder() };
  const app = host();
  const registered = app.register(sdaServer, { ...modelsDir, ...options } as never);
  await expect(Promise.resolve(registered)).rejects.toMatchObject({
    code: "ERR_SDA_ARGUMENT",
    details: { option },
  });
});

test.each([
  ["port", { port: 65_536 }],
  ["port", { port: 1.5 }],
  ["host", { host: "" }],
  ["maxConnections", { maxConnections: 0 }],
])("serve: an invalid %s is refused", async (option, options) => {
  await expect(serve({ modelsDir: modelsFolder(), ...options })).rejects.toMatchObject({
    code: "ERR_SDA_ARGUMENT",
    details: { option },
  });
});

describe("serve", () => {
  test("a port that is in use is an error", async () => {
    const first = await running();
    const port = Number(new URL(first.url).port);
    await expect(serve({ modelsDir: modelsFolder(), port })).rejects.toMatchObject({
      code: "EADDRINUSE",
    });
  });

  test("listens on loopback and closes when its signal aborts", async () => {
    const stop = new AbortController();
    const server = await running({ signal: stop.signal });
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    expect((await fetch(`${server.url}api/health`)).status).toBe(200);
    stop.abort();
    await server.close();
    await expect(fetch(`${server.url}api/health`)).rejects.toThrow();
    await expect(serve({ modelsDir: modelsFolder(), signal: stop.signal })).rejects.toBe(
      stop.signal.reason,
    );
  });

  test("unknown and malformed addresses are problems", async () => {
    const server = await running();
    for (const path of [
      "nothing",
      "api",
      "api/",
      "%",
      "api/models/%E0%A4%A",
      `api/models/${"x".repeat(3000)}`,
    ]) {
      const response = await fetch(server.url + path);
      expect([400, 404, 414]).toContain(response.status);
      checkProblem(response.status, response.headers.get("content-type"), await response.text());
    }
  });
});

test("405 names the allowed methods", async () => {
  const app = await application();
  for (const [method, url, allow] of [
    ["PUT", `/api/models/${PLUCKS_ID}`, "DELETE, GET, HEAD, PATCH"],
    ["GET", `/api/models/${PLUCKS_ID}/generate`, "POST"],
    ["DELETE", "/api/models", "GET, HEAD, POST"],
    ["POST", "/api/health", "GET, HEAD"],
    ["HEAD", "/api/events", "GET"],
    ["OPTIONS", "/api/tags", "GET, HEAD"],
  ] as const) {
    const response = await app.inject({ method, url });
    expect([response.statusCode, response.headers["allow"]]).toEqual([405, allow]);
    if (method !== "HEAD") checkProblem(405, response.headers["content-type"], response.body);
  }
  expect((await problemOf(app, { url: "/api/nothing" })).status).toBe(404);
});

test("the OpenAPI document names every route, each with a unique operation id", async () => {
  const app = await application();
  const description = (await app.inject("/openapi.json")).json();
  expect(description.openapi).toBe("3.1.0");
  const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.keys(methods as object).map((method) => `${method} ${path}`),
  );
  expect(operations.filter((name) => !name.startsWith("head ")).sort()).toEqual([
    "delete /api/models/{id}",
    "get /api/events",
    "get /api/health",
    "get /api/models",
    "get /api/models/{id}",
    "get /api/models/{id}/file",
    "get /api/models/{id}/sliders",
    "get /api/session",
    "get /api/sounds/{soundId}",
    "get /api/sounds/{soundId}/mel.png",
    "get /api/tags",
    "patch /api/models/{id}",
    "post /api/models",
    "post /api/models/{id}/encode",
    "post /api/models/{id}/generate",
  ]);
  const ids = Object.values(description.paths).flatMap((methods) =>
    Object.values(methods as Record<string, { operationId?: string }>).map(
      ({ operationId }) => operationId,
    ),
  );
  expect(ids).not.toContain(undefined);
  expect(new Set(ids).size).toBe(ids.length);
  const generate = description.paths["/api/models/{id}/generate"].post;
  expect(Object.keys(generate.responses["200"].content)).toContain("audio/wav");
  expect(generate.requestBody.content["application/json"].schema.properties.durationS.maximum).toBe(
    60,
  );
});

test("the OpenAPI document has the library's limits of generation", async () => {
  const app = await application();
  const { paths } = (await app.inject("/openapi.json")).json();
  const { post } = paths["/api/models/{id}/generate"];
  const { properties } = post.requestBody.content["application/json"].schema;
  const range = ({ min, max }: { min: number; max: number }) => ({ minimum: min, maximum: max });
  const values = ({ anyOf }: { anyOf: { enum: unknown[] }[] }) => anyOf.flatMap((one) => one.enum);
  const limits = GENERATION_LIMITS;
  const { above, max } = limits.durationS;
  expect(properties.durationS).toMatchObject({ exclusiveMinimum: above, maximum: max });
  for (const name of ["seed", "stepsBetween", "overlapSamples"] as const) {
    expect(properties[name]).toMatchObject(range(limits[name]));
  }
  const { mode, width, depth } = properties.spatial.properties;
  expect(width).toMatchObject(range(limits.width));
  expect(depth).toMatchObject(range(limits.depth));
  expect(values(mode)).toEqual(limits.spatialModes);
  expect(values(properties.concatMode)).toEqual(limits.concatModes);
  expect(values(properties.joint)).toEqual(limits.joints);
  expect(values(properties.loudness)).toEqual(limits.loudnesses);
  expect(values(properties.sampleRate)).toEqual(limits.sampleRates);
  // The server's own limit has the library's value by default.
  const session = (await app.inject("/api/session")).json();
  expect(session.maxDurationS).toBe(max);
});

describe.skipIf(pageFolder() === undefined)("the page", () => {
  test("has the API's path, a nonce and its own content security policy", async () => {
    const app = await application({ prefix: "/studio/api" });
    const page = await app.inject("/studio/");
    expect(page.headers["content-type"]).toBe("text/html; charset=utf-8");
    expect(page.headers["cache-control"]).toBe("no-cache");
    const policy = String(page.headers["content-security-policy"]);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
    const again = await app.inject("/studio/");
    expect(again.headers["content-security-policy"]).not.toBe(policy);
    const nonce = /name="csp-nonce" content="([^"]*)"/.exec(page.body)?.[1];
    if (nonce !== undefined) expect(policy).toContain(`style-src 'self' 'nonce-${nonce}'`);
    if (page.body.includes("sda-api"))
      expect(page.body).toContain('name="sda-api" content="/studio/api"');
    const script = /src="\.?\/?(assets\/[^"]+\.js)"/.exec(page.body)?.[1];
    const asset = await app.inject(`/studio/${script}`);
    expect(asset.statusCode).toBe(200);
    expect(asset.headers["cache-control"]).toContain("immutable");
    expect(asset.headers["x-content-type-options"]).toBe("nosniff");
  });

  test("can be disabled", async () => {
    const app = await application({ page: false, metrics: false });
    expect((await app.inject("/")).statusCode).toBe(404);
    expect((await app.inject("/metrics")).statusCode).toBe(404);
    expect((await app.inject("/api/models")).statusCode).toBe(200);
  });

  test.each([
    "/assets/..%2findex.js",
    "/assets/../../package.json",
    "/..%2f..%2fpackage.json",
    "/assets/%00",
    "/.env",
    "/assets/",
  ])("no path leads out of its folder: %s", async (path) => {
    const app = await application();
    expect((await app.inject(path)).statusCode).toBe(404);
  });
});
