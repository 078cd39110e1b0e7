/** nginx in front of a server, with the configuration of doc/serving.md. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { engineBuilt } from "../../test/support/native.js";
import { needs } from "../../test/support/needs.js";
import { pageFolder } from "../src/page.js";
import { afterTest, bytesOf, form, PLUCKS_ID, root, running, tiny, until } from "./support.js";

const hasNginx = needs(
  spawnSync("nginx", ["-v"]).status === 0,
  "nginx is not installed (apt-get install nginx-light), so no proxy is tested",
);
const ORIGIN = "https://studio.example";
/** What people write first: Host is the server's, and no header tells that a proxy is there. */
const PLAIN = "location / { proxy_pass http://127.0.0.1:8080; }";

function documented(): string {
  const text = readFileSync(join(root, "doc/serving.md"), "utf8");
  return /```nginx\n(.*?)```/s.exec(text)?.[1] as string;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}

/** @returns the address of nginx, which passes requests on to the server */
async function nginx(locations: string, serverUrl: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "nginx-"));
  const port = await freePort();
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join(" ");
  const target = new URL(serverUrl).host;
  writeFileSync(
    join(folder, "nginx.conf"),
    `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
    events {}
    http { access_log off; ${temporary}
      server { listen 127.0.0.1:${port}; ${locations.replaceAll("127.0.0.1:8080", target)} } }`,
  );
  const log = join(folder, "error.log");
  const child = spawn("nginx", ["-e", log, "-c", join(folder, "nginx.conf")], { stdio: "ignore" });
  afterTest(() => child.kill("SIGKILL"));
  const url = `http://127.0.0.1:${port}/`;
  await until(
    () =>
      fetch(url).then(
        () => true,
        () => false,
      ),
    "nginx did not start",
  );
  return url;
}

describe.skipIf(!hasNginx)("behind nginx", () => {
  test.each([
    ["as documented, below a path", documented(), "sounds/"],
    ["with proxy_pass alone", PLAIN, ""],
  ])("%s, people make sound, and change models with the token alone", async (_, conf, path) => {
    const server = await running({ token: "right" });
    const base = (await nginx(conf, server.url)) + path;
    const model = `${base}api/models/${PLUCKS_ID}`;
    expect(await (await fetch(`${base}api/models`)).json()).toMatchObject({ total: 2 });
    const made = await fetch(`${model}/generate?format=json`, {
      method: "POST",
      headers: { "content-type": "application/json", origin: ORIGIN },
      body: '{"durationS":0.1,"seed":1}',
    });
    expect(made.status).toBe(engineBuilt ? 200 : 503);
    const change = (authorization: Record<string, string>) =>
      fetch(model, {
        method: "PATCH",
        headers: { "content-type": "application/json", origin: ORIGIN, ...authorization },
        body: '{"description":"new"}',
      });
    expect((await change({})).status).toBe(401);
    expect((await change({ authorization: "Bearer wrong" })).status).toBe(401);
    expect((await change({ authorization: "Bearer right" })).status).toBe(200);
    const stranger = await fetch(model, { method: "DELETE" });
    expect(stranger.status).toBe(401);
  });

  test("as documented, events and refusals of large uploads arrive", async () => {
    const server = await running({ token: "right", limits: { maxUploadBytes: 50_000 } });
    const base = `${await nginx(documented(), server.url)}sounds/`;
    const events = await fetch(`${base}api/events`);
    const { value } = (await events.body?.getReader().read()) ?? {};
    expect(Buffer.from(value ?? []).toString()).toContain("retry:");
    const { headers, payload } = form(Buffer.concat([bytesOf(tiny), Buffer.alloc(3_000_000)]));
    const authorization = "Bearer right";
    const sent = await fetch(`${base}api/models`, {
      method: "POST",
      headers: { ...headers, authorization },
      body: payload,
    });
    expect(sent.status).toBe(413);
  });

  test.skipIf(pageFolder() === undefined)("the page's files are below the path", async () => {
    const server = await running({ token: "right" });
    const base = `${await nginx(documented(), server.url)}sounds/`;
    const page = await (await fetch(base)).text();
    const files = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file]) => file as string);
    expect(files.length).toBeGreaterThan(2);
    for (const file of files) expect((await fetch(new URL(file, base))).status).toBe(200);
    const moved = await fetch(base.slice(0, -1), { redirect: "manual" });
    expect([moved.status, new URL(moved.headers.get("location") ?? "").pathname]).toEqual([
      301,
      "/sounds/",
    ]);
  });
});
