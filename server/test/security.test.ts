import { request as httpRequest } from "node:http";
import { networkInterfaces } from "node:os";
import Fastify from "fastify";
import { describe, expect, test } from "vitest";
import { engineBuilt } from "../../test/support/native.js";
import { type ServeOptions, sdaServer } from "../src/index.js";
import {
  afterTest,
  application,
  bytesOf,
  checkProblem,
  form,
  modelsFolder,
  PLUCKS_ID,
  problemOf,
  running,
  sharedApplication,
  tiny,
} from "./support.js";

const url = `/api/models/${PLUCKS_ID}`;
const patch = { method: "PATCH", url, payload: { name: "New" } } as const;
const writes = [
  patch,
  { method: "DELETE", url },
  { method: "POST", url: "/api/models", ...form(bytesOf(tiny)) },
] as const;

/** An address of this machine other than loopback. */
const outside = Object.values(networkInterfaces())
  .flat()
  .find((found) => found?.family === "IPv4" && !found.internal)?.address;

function ask(
  base: string,
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<{
  status: number;
  type: string | undefined;
  body: string;
  headers: Record<string, unknown>;
}> {
  return new Promise((done, fail) => {
    const { body, ...rest } = options;
    const request = httpRequest(new URL(path, base), rest, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part) => {
        text += part;
      });
      response.on("end", () =>
        done({
          status: response.statusCode ?? 0,
          type: response.headers["content-type"],
          body: text,
          headers: response.headers,
        }),
      );
    });
    request.on("error", fail).end(body);
  });
}

describe("the token", () => {
  test.each(writes)("$method $url requires it when one is set", async (request) => {
    const app = await application({ token: "right token" });
    const withToken = (authorization: string) => ({
      ...request,
      headers: { ...("headers" in request && request.headers), authorization },
    });
    for (const wrong of [
      "",
      "Bearer",
      "Bearer wrong",
      "Bearer right token2",
      "Basic right",
      "right",
      "Bearer right%20token",
    ]) {
      const response = await app.inject(withToken(wrong));
      checkProblem(401, response.headers["content-type"], response.body);
      expect(response.headers["www-authenticate"]).toContain("Bearer");
    }
    expect((await app.inject("/api/models")).json().total).toBe(2);
    const other = await application({ token: "right" });
    const allowed = await other.inject(withToken("Bearer right"));
    expect(allowed.statusCode).toBeLessThan(300);
  });

  test("reading and generating do not require it", async () => {
    const app = await application({ token: "right" });
    for (const path of ["/api/models", url, `${url}/sliders`, "/api/health", "/metrics"]) {
      expect((await app.inject(path)).statusCode).toBe(200);
    }
    expect((await app.inject({ method: "POST", url: `${url}/generate` })).statusCode).toBe(200);
  });

  test("the session names the rights of a client", async () => {
    const open = await application();
    expect((await open.inject("/api/session")).json()).toEqual({
      writable: true,
      tokenRequired: false,
      maxUploadBytes: 2 ** 30,
      maxDurationS: 60,
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    });
    const app = await application({
      token: "right",
      limits: { maxUploadBytes: 5, maxDurationS: 7 },
    });
    const session = async (headers: Record<string, string>) =>
      (await app.inject({ url: "/api/session", headers })).json();
    expect(await session({})).toMatchObject({
      writable: false,
      tokenRequired: true,
      maxUploadBytes: 5,
      maxDurationS: 7,
    });
    expect(await session({ authorization: "Bearer right" })).toMatchObject({ writable: true });
    const long = await problemOf(app, {
      method: "POST",
      url: `${url}/generate`,
      payload: { durationS: 8 },
    });
    expect([long.status, long.option]).toEqual([400, "durationS"]);
  });

  const listen = (options: Partial<ServeOptions>) => running({ host: "0.0.0.0", ...options });
  const at = (server: { url: string }, host: string) =>
    `http://${host}:${new URL(server.url).port}/`;

  test("without one and without authorize, nobody may write, and a warning says so", async () => {
    const lines: string[] = [];
    const app = Fastify({ logger: { stream: { write: (line) => void lines.push(line) } } });
    afterTest(() => app.close());
    await app.register(sdaServer, { modelsDir: modelsFolder(), device: "cpu" });
    for (const request of writes) {
      const { status, code, detail } = await problemOf(app, request);
      expect([status, code]).toEqual([403, "ERR_NO_TOKEN"]);
      expect(detail).toContain("without a token");
    }
    expect((await app.inject("/api/session")).json()).toMatchObject({
      writable: false,
      tokenRequired: false,
    });
    expect((await app.inject("/api/models")).json().total).toBe(2);
    const json = { method: "POST", url: `${url}/generate`, payload: { durationS: 0.1 } } as const;
    expect((await app.inject(json)).statusCode).toBe(engineBuilt ? 200 : 503);
    const warnings = lines.filter((line) => JSON.parse(line).level === 40);
    expect(warnings.join()).toContain("neither `token` nor `authorize`");
    expect(warnings.length).toBe(1);
  });

  test("no warning appears when the application decides", async () => {
    for (const options of [{ token: "a" }, { token: false }, { authorize: () => true }] as const) {
      const lines: string[] = [];
      const logger = { level: "warn", stream: { write: (line: string) => void lines.push(line) } };
      const app = Fastify({ logger });
      afterTest(() => app.close());
      await app.register(sdaServer, { modelsDir: modelsFolder(), device: "cpu", ...options });
      await app.ready();
      expect(lines).toEqual([]);
    }
  });

  test.skipIf(!outside)("with token: false, only this machine may write", async () => {
    const server = await listen({});
    const change = {
      method: "PATCH",
      headers: { "content-type": "application/json" },
      body: '{"name":"New"}',
    };
    const refused = await ask(at(server, outside as string), url, change);
    checkProblem(refused.status, refused.type, refused.body);
    expect(refused.status).toBe(403);
    expect(
      JSON.parse((await ask(at(server, outside as string), "/api/session")).body),
    ).toMatchObject({ writable: false });
    expect((await ask(at(server, outside as string), "/api/models")).status).toBe(200);
    expect((await ask(at(server, "127.0.0.1"), url, change)).status).toBe(200);
  });

  test("a request through a proxy on this machine is not local", async () => {
    const app = await application();
    for (const name of ["forwarded", "x-forwarded-for"]) {
      expect(
        (await problemOf(app, { ...patch, headers: { [name]: "for=192.0.2.1" } })).status,
      ).toBe(403);
    }
  });
});

describe("authorize", () => {
  test("decides before the token", async () => {
    const asked: string[] = [];
    const app = await application({
      token: "right",
      authorize(request, action) {
        asked.push(`${action} ${request.method}`);
        return { yes: true, no: false }[String(request.headers["x-user"])];
      },
    });
    const status = async (user: string) =>
      (await app.inject({ ...patch, headers: { "x-user": user } })).statusCode;
    expect([await status("yes"), await status("no"), await status("other")]).toEqual([
      200, 403, 401,
    ]);
    const listing = { url: "/api/models", headers: { "x-user": "no" } };
    expect((await problemOf(app, listing)).status).toBe(403);
    await app.inject({ method: "POST", url: `${url}/generate`, headers: { "x-user": "no" } });
    expect(asked).toEqual([
      "write PATCH",
      "write PATCH",
      "write PATCH",
      "read GET",
      "generate POST",
    ]);
  });

  test("an error keeps its status and gets this server's text", async () => {
    const app = await application({
      async authorize() {
        throw Object.assign(new Error("secret: /tmp/x"), { statusCode: 401 });
      },
    });
    expect((await problemOf(app, { url: "/api/models" })).status).toBe(401);
    const broken = await application({
      authorize() {
        throw new Error("secret: /tmp/x");
      },
    });
    expect((await problemOf(broken, { url: "/api/models" })).status).toBe(500);
  });
});

describe("pages of other sites", () => {
  test.each([
    "https://evil.example",
    "http://localhost:81",
    "null",
    "http://localhost.evil.example",
    "nonsense",
  ])("%s may not change anything", async (origin) => {
    const app = await sharedApplication();
    for (const request of writes) {
      const headers = {
        ...("headers" in request && request.headers),
        origin,
        host: "localhost:80",
      };
      expect((await problemOf(app, { ...request, headers })).status).toBe(403);
    }
    const sound = { method: "POST", url: `${url}/generate`, headers: { origin } } as const;
    expect((await problemOf(app, sound)).status).toBe(403);
    // A page can send JSON to another site only after a preflight, which is refused.
    const json = { ...sound.headers, "content-type": "application/json" };
    const made = await app.inject({ ...sound, headers: json, payload: '{"durationS":0.1}' });
    expect(made.statusCode).toBe(engineBuilt ? 200 : 503);
    expect(made.headers["access-control-allow-origin"]).toBeUndefined();
    const plain = { ...sound.headers, "content-type": "text/plain" };
    expect((await problemOf(app, { ...sound, headers: plain, payload: "{}" })).status).toBe(403);
    const preflight = await app.inject({
      method: "OPTIONS",
      url: sound.url,
      headers: { origin, "access-control-request-method": "POST" },
    });
    expect(preflight.statusCode).not.toBe(204);
    expect(preflight.headers["access-control-allow-origin"]).toBeUndefined();
    const read = await app.inject({ url: "/api/models", headers: { origin } });
    expect(read.headers["access-control-allow-origin"]).toBeUndefined();
  });

  test("pages of the server itself may", async () => {
    const app = await sharedApplication();
    const headers = { origin: "http://localhost:8080", host: "localhost:8080" };
    expect((await app.inject({ ...patch, headers })).statusCode).toBe(200);
  });

  test("a page with the token may: a proxy may have replaced Host", async () => {
    const app = await application({ token: "right" });
    const headers = { origin: "https://studio.example", host: "127.0.0.1:8080" };
    const status = async (authorization: string) =>
      (await app.inject({ ...patch, headers: { ...headers, authorization } })).statusCode;
    expect([await status("Bearer right"), await status("Bearer wrong")]).toEqual([200, 401]);
    // Another site's page cannot read the answer, and a browser asks before it sends the request.
    const asked = { method: "OPTIONS", url, headers } as const;
    expect((await app.inject(asked)).headers["access-control-allow-origin"]).toBeUndefined();
  });

  test("where authorize decides as well, a page of another site may not", async () => {
    const app = await application({ token: "right", authorize: () => true });
    const headers = { origin: "https://evil.example", host: "127.0.0.1:8080" };
    expect((await problemOf(app, { ...patch, headers })).status).toBe(403);
  });

  test("pages of configured origins may, and can read the API's headers", async () => {
    const app = await application({ cors: ["https://studio.example/"] });
    const origin = "https://studio.example";
    const response = await app.inject({ ...patch, headers: { origin } });
    expect(response.statusCode).toBe(200);
    expect(response.headers["access-control-allow-origin"]).toBe(origin);
    expect(response.headers["access-control-expose-headers"]).toContain("X-Seed");
    expect(response.headers["cross-origin-resource-policy"]).toBe("cross-origin");
    const preflight = await app.inject({
      method: "OPTIONS",
      url,
      headers: {
        origin,
        "access-control-request-method": "PATCH",
        "access-control-request-headers": "if-match",
      },
    });
    expect(preflight.statusCode).toBe(204);
    expect(preflight.headers["access-control-allow-methods"]).toContain("PATCH");
    const other = { ...patch, headers: { origin: "https://evil.example" } };
    expect((await app.inject(other)).statusCode).toBe(403);
    expect((await app.inject(other)).headers["access-control-allow-origin"]).toBeUndefined();
  });
});

describe("the name in Host", () => {
  test.each([
    "localhost",
    "localhost:80",
    "LOCALHOST:8080",
    "127.0.0.1:80",
    "127.1.2.3",
    "[::1]:80",
    "models.localhost:80",
  ])("%s is allowed", async (host) => {
    const app = await sharedApplication();
    expect((await app.inject({ url: "/api/models", headers: { host } })).statusCode).toBe(200);
  });

  test.each([
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "0.0.0.0",
    "[::1].evil",
    "192.168.0.1:80",
    "x@localhost",
  ])("%s is refused", async (host) => {
    const app = await sharedApplication();
    for (const path of ["/api/models", "/api/health", "/metrics", "/openapi.json", url]) {
      expect((await problemOf(app, { url: path, headers: { host } })).status).toBe(403);
    }
  });

  test("configured names are allowed", async () => {
    const host = "Studio.example:443";
    const app = await application({ allowedHosts: ["studio.example"] });
    expect((await app.inject({ url: "/api/models", headers: { host } })).statusCode).toBe(200);
    const any = await application({ allowedHosts: true });
    expect((await any.inject({ url: "/api/models", headers: { host } })).statusCode).toBe(200);
  });

  test.skipIf(!outside)("is not checked for connections from other machines", async () => {
    const server = await running({ host: "0.0.0.0" });
    const base = `http://${outside}:${new URL(server.url).port}/`;
    const headers = { host: "studio.example" };
    expect((await ask(base, "/api/models", { headers })).status).toBe(200);
  });
});

test.each(["/api/models", "/api/nothing", `${url}/file`, "/metrics", "/openapi.json"])(
  "%s has the security headers",
  async (path) => {
    const app = await sharedApplication();
    const { headers } = await app.inject(path);
    expect(headers).toMatchObject({
      "content-security-policy": "default-src 'none';frame-ancestors 'none'",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "referrer-policy": "no-referrer",
      "cross-origin-resource-policy": "same-origin",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-embedder-policy": "require-corp",
      "x-request-id": expect.any(String),
    });
    expect(headers["x-powered-by"]).toBeUndefined();
    expect(headers["access-control-allow-origin"]).toBeUndefined();
  },
);

test("a valid X-Request-Id is returned", async () => {
  const app = await sharedApplication();
  const id = async (given: string) =>
    (await app.inject({ url: "/api/health", headers: { "x-request-id": given } })).headers[
      "x-request-id"
    ];
  expect(await id("abc-1.2:3")).toBe("abc-1.2:3");
  expect(await id("a b")).not.toBe("a b");
  expect(await id("x".repeat(101))).not.toBe("x".repeat(101));
});
