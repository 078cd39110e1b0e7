/** Events, and a library that other programs change, remove and restore. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deleteModel, ModelLibrary, updateModel } from "small-dataset-audio";
import { describe, expect, test } from "vitest";
import { asUser, canRun } from "../../test/support/script.js";
import { EventHub } from "../src/events.js";
import type { RunningServer } from "../src/index.js";
import {
  afterTest,
  bytesOf,
  checkProblem,
  form,
  metric,
  modelsFolder,
  PLUCKS_ID,
  plucks,
  rawConnection,
  root,
  running,
  TINY_ID,
  tiny,
  until,
  uploadHead,
} from "./support.js";

interface Told {
  event: string;
  data: Record<string, unknown>;
}

/** Opens an event stream and collects its events. */
async function listen(
  server: RunningServer,
  query = "",
): Promise<{ told: Told[]; text: () => string; leave(): void; ended: Promise<void> }> {
  const left = new AbortController();
  afterTest(() => left.abort());
  const response = await fetch(`${server.url}api/events${query}`, { signal: left.signal });
  expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  expect(response.headers.get("cache-control")).toBe("no-store");
  const told: Told[] = [];
  let text = "";
  let parsed = 0;
  const ended = (async () => {
    for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += Buffer.from(part).toString();
      for (let end = text.indexOf("\n\n", parsed); end >= 0; end = text.indexOf("\n\n", parsed)) {
        const [, event, data] = /^event: (.*)\ndata: (.*)$/.exec(text.slice(parsed, end)) ?? [];
        if (event) told.push({ event, data: JSON.parse(data as string) });
        parsed = end + 2;
      }
    }
  })().catch(() => {});
  return { told, text: () => text, leave: () => left.abort(), ended };
}

/** Fields of the responses that these tests read. */
interface Answer {
  total: number;
  models: { modelId: string }[];
}
const jsonOf = async (server: RunningServer, path: string) =>
  (await (await fetch(server.url + path)).json()) as Answer;
async function problemAt(server: RunningServer, path: string, init?: RequestInit) {
  const response = await fetch(server.url + path, init);
  return checkProblem(response.status, response.headers.get("content-type"), await response.text());
}

describe("library events", () => {
  test("name added, changed and removed models, whichever process changed them", async () => {
    const modelsDir = modelsFolder();
    const server = await running({ modelsDir });
    const { told, text } = await listen(server);
    await until(() => text().startsWith("retry: "));

    await updateModel(TINY_ID, modelsDir, { tags: ["new"] });
    await until(() => told.length === 1);
    expect(told[0]).toEqual({
      event: "library",
      data: { added: [], removed: [], changed: [TINY_ID], complete: true, total: 2 },
    });

    const script =
      'import { deleteModel } from "small-dataset-audio";' +
      `await deleteModel("${TINY_ID}", ${JSON.stringify(modelsDir)});`;
    const { status } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      cwd: root,
    });
    expect(status).toBe(0);
    await until(() => told.length === 2);
    expect(told[1]?.data).toEqual({
      added: [],
      removed: [TINY_ID],
      changed: [],
      complete: true,
      total: 1,
    });

    const { headers, payload } = form(bytesOf(tiny));
    await fetch(`${server.url}api/models`, { method: "POST", headers, body: payload });
    await until(() => told.length === 3);
    expect(told[2]?.data).toEqual({
      added: [TINY_ID],
      removed: [],
      changed: [],
      complete: true,
      total: 2,
    });
    expect((await jsonOf(server, "api/models")).total).toBe(2);
  });

  test("too many changes are sent without ids", async () => {
    const modelsDir = modelsFolder({ tiny });
    const server = await running({ modelsDir });
    const { told, text } = await listen(server);
    await until(() => text().startsWith("retry: "));
    const index = join(modelsDir, "model_library.json");
    const { version, models } = JSON.parse(readFileSync(index, "utf8").replace(/: NaN/g, ": 0"));
    const library = (count: number) => {
      const others = Array.from({ length: count }, (_, i) => {
        const id = TINY_ID.replace(/.{4}$/, String(1000 + i));
        return [id, { ...models[TINY_ID], model_id: id }];
      });
      return JSON.stringify({ version, models: { ...models, ...Object.fromEntries(others) } });
    };
    writeFileSync(`${index}.new`, library(999));
    renameSync(`${index}.new`, index);
    await until(() => told.length === 1);
    const { added, ...rest } = (told[0] as Told).data;
    expect(added).toHaveLength(999);
    // The entry changed as well: its NaN was replaced by 0 above.
    expect(rest).toEqual({ removed: [], changed: [TINY_ID], complete: true, total: 1000 });
    writeFileSync(`${index}.new`, library(2001));
    renameSync(`${index}.new`, index);
    await until(() => told.length === 2);
    expect(told[1]?.data).toEqual({
      added: [],
      removed: [],
      changed: [],
      complete: false,
      total: 2002,
    });
  });

  test("reach all clients; closed streams are removed", async () => {
    const modelsDir = modelsFolder();
    const server = await running({ modelsDir });
    const clients = await Promise.all([
      listen(server),
      listen(server, "?clientId=a"),
      listen(server),
    ]);
    expect(await metric(server.url, "sda_event_clients")).toBe(3);
    clients[0]?.leave();
    await until(async () => (await metric(server.url, "sda_event_clients")) === 2);
    await deleteModel(TINY_ID, modelsDir);
    await until(() => clients[1]?.told.length === 1 && clients[2]?.told.length === 1);
  });

  test("are found by polling as well", async () => {
    const modelsDir = modelsFolder();
    const server = await running({ modelsDir, pollMs: 20 });
    const { told } = await listen(server);
    const library = await ModelLibrary.open(modelsDir);
    for (let i = 0; i < 5; i++) {
      await library.remove(TINY_ID);
      await until(() => told.at(-1)?.data["removed"]?.toString() === TINY_ID);
      await library.repairIndex();
      await until(() => told.at(-1)?.data["added"]?.toString() === TINY_ID);
    }
  });

  test("more streams than maxEventClients are refused", async () => {
    const server = await running({ limits: { maxEventClients: 2 } });
    const first = await listen(server);
    await listen(server);
    expect((await problemAt(server, "api/events")).status).toBe(503);
    first.leave();
    await until(async () => {
      const left = new AbortController();
      const { status } = await fetch(`${server.url}api/events`, { signal: left.signal });
      left.abort();
      return status === 200;
    });
  });

  test.each(["a b", "x".repeat(65), "", "a&clientId=b", "%00"])(
    "the client id %j is refused",
    async (id) => {
      const server = await running();
      expect(await problemAt(server, `api/events?clientId=${id}`)).toMatchObject({
        status: 400,
        option: "clientId",
      });
    },
  );

  test("a client that does not read is disconnected; others get all events", async () => {
    const hub = new EventHub(2);
    const slow = hub.open("slow");
    const quick = hub.open("quick");
    let heard = 0;
    quick.on("data", (part: Buffer) => {
      heard += part.toString().split("event: ").length - 1;
    });
    const data = "x".repeat(10_000);
    for (let i = 0; i < 100 && !slow.destroyed; i++) hub.send("progress", data, "slow");
    expect(slow.destroyed).toBe(true);
    expect(slow.readableLength).toBeLessThan(1_000_000);
    await until(() => hub.clients === 1);
    hub.send("library", data);
    await until(() => heard === 1);
    hub.close();
    expect(hub.clients).toBe(0);
    expect(() => hub.open(undefined)).toThrow(expect.objectContaining({ status: 503 }));
  });
});

describe("a folder that disappears", () => {
  test("is 503 until it is back, and the server goes on", async () => {
    const modelsDir = modelsFolder();
    const server = await running({ modelsDir, pollMs: 50 });
    const { told } = await listen(server);
    expect(await jsonOf(server, "api/health")).toMatchObject({
      status: "ok",
      models: 2,
      engine: "not loaded",
    });

    renameSync(modelsDir, `${modelsDir}.away`);
    afterTest(() => rmSync(`${modelsDir}.away`, { recursive: true, force: true }));
    const health = await fetch(`${server.url}api/health`);
    expect([health.status, await health.json()]).toEqual([
      503,
      expect.objectContaining({ status: "unavailable", models: 0 }),
    ]);
    for (const path of [
      "api/models",
      "api/tags",
      `api/models/${TINY_ID}`,
      `api/models/${TINY_ID}/file`,
      `api/models/${TINY_ID}/sliders`,
    ]) {
      expect((await problemAt(server, path)).status).toBe(503);
    }
    const json = { "content-type": "application/json" };
    const { headers, payload } = form(bytesOf(tiny));
    for (const [path, init] of [
      [`api/models/${TINY_ID}/generate`, { method: "POST" }],
      [`api/models/${TINY_ID}`, { method: "PATCH", headers: json, body: '{"name":"x"}' }],
      [`api/models/${TINY_ID}`, { method: "DELETE" }],
      ["api/models", { method: "POST", headers, body: payload }],
    ] as const) {
      expect((await problemAt(server, path, init)).status).toBe(503);
    }
    await until(() =>
      told.some(({ event, data }) => event === "health" && data["status"] === "unavailable"),
    );
    expect((await fetch(`${server.url}metrics`)).status).toBe(200);

    renameSync(`${modelsDir}.away`, modelsDir);
    await until(() =>
      told.some(({ event, data }) => event === "health" && data["status"] === "ok"),
    );
    expect((await jsonOf(server, "api/models")).total).toBe(2);
    // The restored folder is watched again.
    await deleteModel(TINY_ID, modelsDir);
    await until(() =>
      told.some(({ event, data }) => event === "library" && String(data["removed"]) === TINY_ID),
    );
  });

  test("another folder at its path is another library", async () => {
    const modelsDir = modelsFolder({ plucks });
    const server = await running({ modelsDir, pollMs: 50 });
    const { told } = await listen(server);
    rmSync(modelsDir, { recursive: true });
    mkdirSync(modelsDir);
    cpSync(tiny, join(modelsDir, "t.sda"));
    await (await ModelLibrary.open(modelsDir)).repairIndex();
    // In one event or in two, because the folder was empty for a moment.
    const heard = (key: string, id: string) => told.some(({ data }) => String(data[key]) === id);
    await until(() => heard("added", TINY_ID) && heard("removed", PLUCKS_ID));
    expect((await jsonOf(server, "api/models")).models[0]?.modelId).toBe(TINY_ID);
  });
});

const changes = (server: RunningServer) => {
  const json = { "content-type": "application/json" };
  const { headers, payload } = form(bytesOf(plucks));
  return [
    () =>
      problemAt(server, `api/models/${TINY_ID}`, {
        method: "PATCH",
        headers: json,
        body: JSON.stringify({ description: "x".repeat(9000) }),
      }),
    () => problemAt(server, "api/models", { method: "POST", headers, body: payload }),
  ];
};

// Root may write anywhere, so the tests take another user id for a while.
const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;
const readers =
  !isRoot ||
  canRun(
    "another user must be able to read the checkout",
    ...(asUser(NOBODY) as [string]),
    "test",
    "-r",
    plucks,
  );

describe.skipIf(!process.getuid || !readers)("a read-only folder", () => {
  test("can be read; changes are 403", async () => {
    const modelsDir = modelsFolder();
    const uploadDir = modelsFolder({});
    chmodSync(uploadDir, 0o777);
    const server = await running({ modelsDir, uploadDir });
    expect((await jsonOf(server, "api/models")).total).toBe(2);
    chmodSync(modelsDir, 0o555);
    if (isRoot) process.seteuid?.(NOBODY);
    try {
      for (const change of changes(server)) expect((await change()).status).toBe(403);
      expect((await problemAt(server, `api/models/${TINY_ID}`, { method: "DELETE" })).status).toBe(
        403,
      );
      expect((await jsonOf(server, "api/models")).total).toBe(2);
      expect((await fetch(`${server.url}api/models/${TINY_ID}/file`)).status).toBe(200);
    } finally {
      if (isRoot) process.seteuid?.(0);
      chmodSync(modelsDir, 0o755);
    }
    expect((await fetch(`${server.url}api/models/${TINY_ID}`, { method: "DELETE" })).status).toBe(
      204,
    );
  });

  test("is empty when it has no index", async () => {
    const modelsDir = modelsFolder();
    chmodSync(modelsDir, 0o555);
    if (isRoot) process.seteuid?.(NOBODY);
    try {
      const server = await running({ modelsDir });
      expect((await jsonOf(server, "api/models")).total).toBe(0);
    } finally {
      if (isRoot) process.seteuid?.(0);
      chmodSync(modelsDir, 0o755);
    }
  });
});

function small(): RequestInit {
  const { headers, payload } = form(bytesOf(tiny));
  return { headers, body: payload };
}

/** Mounts a disk of one megabyte; null where the system does not allow it. */
function mountDisk(): string | null {
  const folder = mkdtempSync(join(tmpdir(), "sda-server-disk-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "none", folder]).status === 0;
  if (!mounted) rmSync(folder, { recursive: true });
  return mounted ? folder : null;
}

function removeDisk(folder: string): void {
  // A file that was read stays open until its handle is garbage collected.
  spawnSync("umount", ["--lazy", folder]);
  rmSync(folder, { recursive: true, force: true });
}

function smallDisk(): string {
  const folder = mountDisk() as string;
  afterTest(() => removeDisk(folder));
  return folder;
}

const trial = mountDisk();
if (trial !== null) removeDisk(trial);

describe.skipIf(trial === null)("a full disk", () => {
  test.each(["modelsDir", "uploadDir"])(
    "as %s refuses an upload that does not fit",
    async (place) => {
      const server = await running({ modelsDir: modelsFolder({}), [place]: smallDisk() });
      const socket = await rawConnection(server.url);
      const { headers, payload } = form(bytesOf(plucks));
      socket.write(uploadHead(headers["content-type"], payload.length));
      const [head] = await once(socket, "data"); // before any byte of the body is sent
      expect(String(head)).toMatch(/^HTTP\/1\.1 507 /);
      socket.destroy();
      expect((await fetch(`${server.url}api/models`, { method: "POST", ...small() })).status).toBe(
        201,
      );
    },
  );

  test("is 507, and existing models stay", async () => {
    const modelsDir = smallDisk();
    cpSync(tiny, join(modelsDir, "tiny.sda"));
    const server = await running({ modelsDir });
    expect((await jsonOf(server, "api/models")).total).toBe(1);
    spawnSync("sh", ["-c", 'cat /dev/zero > "$0/fill"', modelsDir]);
    for (const change of changes(server)) expect((await change()).status).toBe(507);
    expect((await jsonOf(server, "api/models")).total).toBe(1);
    expect((await fetch(`${server.url}api/models/${TINY_ID}`)).status).toBe(200);
    rmSync(join(modelsDir, "fill"));
    const changed = await fetch(`${server.url}api/models/${TINY_ID}`, {
      method: "PATCH",
      headers: { "content-type": "application/json" },
      body: '{"name":"x"}',
    });
    expect(changed.status).toBe(200);
  });
});
