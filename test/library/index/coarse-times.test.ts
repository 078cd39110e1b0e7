/** A file system whose times have seconds, on which files keep their identity after a change. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { fileIdentity, ModelLibrary } from "../../../lib/index.js";
import { SeenIndex } from "../../../lib/library/index/seen-index.js";
import { count } from "../../support/effort.js";
import { temporaryFolder } from "../../support/folder.js";
import { needs } from "../../support/needs.js";
import { entry, INDEX } from "../support.js";

const ROUNDS = count({ quick: 20, full: 400 });
const place = temporaryFolder();
const disk = join(place, "disk");
const models = join(disk, "models");

/** An ext4 whose inodes of 128 bytes have no room for fractions of a second. */
function mount(): boolean {
  mkdirSync(disk);
  const image = join(place, "image");
  writeFileSync(image, Buffer.alloc(8 * 2 ** 20));
  if (spawnSync("mkfs.ext4", ["-q", "-I", "128", image]).status !== 0) return false;
  return spawnSync("mount", ["-o", "loop", image, disk]).status === 0;
}

const isMounted = needs(mount(), "times of one second need root, mkfs.ext4 and loop devices");
afterAll(() => {
  if (isMounted) execFileSync("umount", [disk]);
});

function identity(): string {
  const { ino, size, mtimeNs, ctimeNs } = statSync(join(models, INDEX), { bigint: true });
  return [ino, size, mtimeNs, ctimeNs].join(":");
}

async function newLibrary(): Promise<ModelLibrary> {
  rmSync(models, { recursive: true, force: true });
  mkdirSync(models);
  const library = await ModelLibrary.open(models);
  await library.addEntries([entry(1, { description: "0000" }), entry(2), entry(3)]);
  return library;
}

describe.skipIf(!isMounted)("where file times have seconds", () => {
  it("an acknowledged change stays, although the index has its old identity again", async () => {
    let repeated = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const one = await newLibrary();
      const other = await ModelLibrary.open(models);
      const before = identity();
      let acknowledged = "";
      for (let change = 1; change <= 4; change++) {
        acknowledged = String(change).padStart(4, "0");
        await other.addEntry(entry(1, { description: acknowledged }));
        if (identity() === before) break;
      }
      if (identity() === before) repeated++;
      await one.addEntry(entry(2, { description: "one's own" }));
      const now = await ModelLibrary.open(models);
      expect(now.get(entry(1).modelId)?.description).toBe(acknowledged);
      expect(now.get(entry(2).modelId)?.description).toBe("one's own");
    }
    expect(repeated).toBeGreaterThan(ROUNDS / 4); // otherwise this test has tried nothing
  });

  it("a rewrite in place of the same length is seen, and kept by the next change", async () => {
    const library = await newLibrary();
    const { modelId } = entry(1);
    let text = readFileSync(join(models, INDEX), "utf8");
    for (let round = 1; round <= ROUNDS; round++) {
      const description = String(round).padStart(4, "0");
      text = text.replace(/"description": "\d{4}"/, `"description": "${description}"`);
      writeFileSync(join(models, INDEX), text);
      if (round % 2 === 0) await library.refresh();
      else await library.addEntry(entry(2));
      expect(library.get(modelId)?.description).toBe(description);
      expect((await ModelLibrary.open(models)).get(modelId)?.description).toBe(description);
      text = readFileSync(join(models, INDEX), "utf8");
    }
  });
});

it("an unchanged index is compared for two seconds only", async () => {
  const path = join(temporaryFolder(), INDEX);
  const content = Buffer.from("content");
  writeFileSync(path, content);
  const found = await fileIdentity(path);
  expect(await new SeenIndex(found, [Buffer.from("another")]).isStill(path)).toBe(false);
  expect(await new SeenIndex(found, [content, content]).isStill(path)).toBe(false);
  expect(await new SeenIndex(found, [content.subarray(1)]).isStill(path)).toBe(false);
  const seen = new SeenIndex(found, [content.subarray(0, 3), content.subarray(3)]);
  expect(await seen.isStill(path)).toBe(true);
  await new Promise((resolve) => setTimeout(resolve, 2100));
  expect(await seen.isStill(path)).toBe(true);
  content.fill(0); // the content is no longer looked at: the identity alone proves a change
  expect(await seen.isStill(path)).toBe(true);
  writeFileSync(path, "another");
  expect(await seen.isStill(path)).toBe(false);
});
