/** A server is killed during an upload, save, edit or delete. No change is left half done. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, openAsBlob, readdirSync, readFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addModelFile, ModelLibrary, readMetadata, verifyFile } from "../../lib/index.js";
import { compiled } from "../support/compiled.js";
import { count } from "../support/effort.js";
import { temporaryFolder } from "../support/folder.js";

const KILLS = count({ quick: 2, full: 8 }, "SDA_SERVER_KILLS");
const model = "test/fixtures/models/tiny.sda";
const checkpoint = "test/fixtures/checkpoints/tiny.pt";
const OWN_FILES = ["model_library.json", "model_library.json.bak", ".model_library.lock"];

const running = new Set<ChildProcess>();
afterAll(() => {
  for (const left of running) left.kill("SIGKILL");
});

class Served {
  readonly url: string;
  readonly #process: ChildProcess;

  private constructor(url: string, started: ChildProcess) {
    this.url = url;
    this.#process = started;
  }

  static async start(folder: string, temporary: string): Promise<Served> {
    const started = spawn(process.execPath, [compiled("test/process/serve-script.ts"), folder], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, TMPDIR: temporary },
    });
    running.add(started);
    started.once("exit", () => running.delete(started));
    const lines = createInterface({ input: started.stdout as NodeJS.ReadableStream });
    const [url] = await Promise.race([
      once(lines, "line"),
      once(started, "exit").then(() => {
        throw new Error("the server did not start");
      }),
    ]);
    return new Served(url, started);
  }

  async kill(): Promise<void> {
    const gone = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await gone;
  }

  async model(id: string): Promise<{ description: string; tags: string[] }> {
    const response = await fetch(`${this.url}api/models/${id}`);
    expect(response.status).toBe(200);
    return (await response.json()) as { description: string; tags: string[] };
  }

  /** Ids by name. */
  async models(): Promise<Map<string, string>> {
    const response = await fetch(`${this.url}api/models?pageSize=200`);
    expect(response.status).toBe(200);
    const { models } = (await response.json()) as { models: { modelId: string; name: string }[] };
    return new Map(models.map(({ modelId, name }) => [name, modelId]));
  }
}

/**
 * Kills the server `afterMs` after the request of a change, or after the answer if that is null.
 * @returns whether the change was acknowledged
 */
async function killedDuring(
  served: Served,
  afterMs: number | null,
  change: () => Promise<number>,
): Promise<boolean> {
  const acknowledged = change().then(
    (status) => {
      expect(status).toBeLessThan(300);
      return true;
    },
    () => false, // the kill closed the connection
  );
  await (afterMs === null ? acknowledged : sleep(afterMs));
  await served.kill();
  return acknowledged;
}

async function upload(served: Served, path: string, name: string): Promise<number> {
  const form = new FormData();
  form.append("name", name);
  form.append("file", await openAsBlob(path), "file");
  return (await fetch(`${served.url}api/models`, { method: "POST", body: form })).status;
}

/** Sends the first half of a model file only. */
function uploadHalf(
  served: Served,
  name: string,
): { half: Promise<void>; answer: Promise<number> } {
  const bytes = readFileSync(model);
  const boundary = "boundary";
  const part = (head: string) => `--${boundary}\r\nContent-Disposition: form-data; ${head}\r\n\r\n`;
  const head = `${part('name="name"')}${name}\r\n${part('name="file"; filename="m.sda"')}`;
  const sent = httpRequest(`${served.url}api/models`, {
    method: "POST",
    headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
  });
  const answer = once(sent, "response").then(([response]) => response.statusCode as number);
  sent.write(head);
  const half = new Promise<void>((done) => {
    sent.write(bytes.subarray(0, bytes.length / 2), () => done());
  });
  return { half, answer };
}

/** Every file in the folder is complete, and the library describes it correctly. */
async function expectWhole(folder: string, temporary: string): Promise<void> {
  const names = readdirSync(folder).filter((name) => !OWN_FILES.includes(name));
  expect(names.filter((name) => !name.endsWith(".sda"))).toEqual([]);
  expect(readdirSync(temporary).filter((name) => name.startsWith("sda-upload"))).toEqual([]);
  for (const name of names) {
    expect(await verifyFile(join(folder, name)), name).toMatchObject({ ok: true, problems: [] });
  }
  const library = await ModelLibrary.open(folder);
  for (const { modelId, name, tags, filePath } of library.listAll()) {
    expect(await readMetadata(join(folder, filePath))).toMatchObject({ modelId, name, tags });
  }
  // A saved model without an entry is complete too. Repair adds the entry.
  const { removed, unreadable } = await library.repairIndex();
  expect({ removed, unreadable }).toEqual({ removed: 0, unreadable: [] });
}

describe("a server that is killed", () => {
  const changes: Record<string, (served: Served, id: string, turn: number) => Promise<number>> = {
    "saves a model": (served, _id, turn) => upload(served, model, `saved ${turn}`),
    "makes a model of a checkpoint": (served, _id, turn) =>
      upload(served, checkpoint, `made ${turn}`),
    "edits a model": async (served, id, turn) => {
      const body = JSON.stringify({ description: `edit ${turn}`, tags: [`tag ${turn}`] });
      const headers = { "content-type": "application/json" };
      const method = "PATCH";
      return (await fetch(`${served.url}api/models/${id}`, { method, headers, body })).status;
    },
    "deletes a model": async (served, id) =>
      (await fetch(`${served.url}api/models/${id}`, { method: "DELETE" })).status,
  };

  // A test goes on with the folder of the one before it, and with the server that checked it.
  let folder: string;
  let temporary: string;
  let served: Served;
  beforeAll(async () => {
    folder = join(temporaryFolder(), "models");
    temporary = temporaryFolder();
    mkdirSync(folder);
    for (let i = 0; i <= KILLS; i++)
      await addModelFile(model, folder, { metadata: { name: `model ${i}` } });
    served = await Served.start(folder, temporary);
  });

  it.each(Object.entries(changes))(
    "while it %s",
    async (what, change) => {
      let acknowledged = 0;
      let wholeMs: number | null = null;
      for (let turn = 0; turn < KILLS; turn++) {
        const before = await served.models();
        const [name, id] = [...before][0] as [string, string];
        // The first change completes. The kills of the others are spread over the time it took.
        const afterMs = wholeMs === null ? null : (wholeMs * (turn - 1)) / (KILLS - 1);
        const begin = performance.now();
        const isDone = await killedDuring(served, afterMs, () => change(served, id, turn));
        wholeMs ??= performance.now() - begin;
        served = await Served.start(folder, temporary);
        const after = await served.models();
        if (what.startsWith("deletes")) {
          if (isDone) expect(after.has(name)).toBe(false);
        } else if (what.startsWith("edits")) {
          const found = await served.model(id);
          const isEdited = found.description === `edit ${turn}`;
          if (isDone) expect(isEdited).toBe(true);
          expect(found.tags.includes(`tag ${turn}`)).toBe(isEdited);
        } else if (isDone) {
          expect(after.has(`${what.startsWith("saves") ? "saved" : "made"} ${turn}`)).toBe(true);
        }
        await expectWhole(folder, temporary);
        acknowledged += isDone ? 1 : 0;
      }
      // At least one change completed, and at least one was interrupted.
      expect(acknowledged).toBeGreaterThan(0);
      expect(acknowledged).toBeLessThan(KILLS);
    },
    300_000,
  );

  it("in the middle of an upload", async () => {
    const before = await served.models();
    const { half, answer } = uploadHalf(served, "half");
    answer.catch(() => {}); // awaited below
    await half;
    // Wait until the server writes the file.
    while (
      readdirSync(temporary, { recursive: true }).every((name) => !`${name}`.endsWith(".tmp"))
    ) {
      await sleep(5);
    }
    await served.kill();
    await expect(answer).rejects.toThrow();
    const again = await Served.start(folder, temporary);
    expect(await again.models()).toEqual(before);
    await again.kill();
    await expectWhole(folder, temporary);
  });
});
