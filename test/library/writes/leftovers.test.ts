/** Opening a library completes or undoes interrupted changes, and always succeeds. */

import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  addModelFile,
  deleteModel,
  type ModelEntry,
  ModelLibrary,
  readMetadata,
  saveModelFromCheckpoint,
  updateModel,
} from "../../../lib/index.js";
import { entryText } from "../../../lib/library/index/entry.js";
import { temporaryFolder } from "../../support/folder.js";
import { collectWarnings } from "../../support/warnings.js";
import { BACKUP, entry, INDEX, indexText, put } from "../support.js";

const TINY = "test/fixtures/models/tiny.sda";

let folder: string;
beforeEach(async () => {
  folder = temporaryFolder();
  await warned();
});
const warnings = collectWarnings();

const path = (name: string) => join(folder, name);
const index = (...texts: string[]) => put(folder, INDEX, indexText(texts));
const open = () => ModelLibrary.open(folder);
/** Warnings are emitted one turn later. */
async function warned(): Promise<(string | undefined)[]> {
  await new Promise((resolve) => setImmediate(resolve));
  return warnings.map(({ code }) => code);
}

describe("files of others are kept", () => {
  test("links to other folders, under the name of a deletion", async () => {
    const elsewhere = temporaryFolder();
    put(elsewhere, "precious.sda", "mine");
    symlinkSync(elsewhere, path(".sda-deleted-ab"));
    index();
    const library = await open();
    await library.repairIndex();
    expect(readdirSync(elsewhere)).toEqual(["precious.sda"]);
    expect(readdirSync(folder)).toContain(".sda-deleted-ab");
    expect(await warned()).toEqual([]);
  });

  test("paths that lead out of the folder, by their text or through a link", async () => {
    const elsewhere = temporaryFolder();
    folder = join(elsewhere, "models");
    mkdirSync(folder);
    symlinkSync(elsewhere, path("out"));
    const names = ["..%2Fevil.sda", "out%2Fevil.sda"];
    for (const name of names) put(folder, `.sda-deleted-ab/${name}`, "hidden");
    index(
      entryText(entry(1, { filePath: "../evil.sda" })),
      entryText(entry(2, { filePath: "out/evil.sda" })),
    );
    expect((await open()).count()).toBe(2);
    expect(readdirSync(elsewhere)).toEqual(["models"]);
    expect(readdirSync(path(".sda-deleted-ab")).sort()).toEqual(names);
    expect(await warned()).toContain("SDA_CLEANUP_FAILED");
  });

  test("files and folders of other kinds, under names like ours", async () => {
    put(folder, ".sda-deleted-ab", "a file");
    put(folder, ".sda-deleted-cd/folder.sda/x", "in a folder");
    put(folder, ".sda-deleted-ef/notes.txt", "no model");
    put(folder, ".model_library-1-ab.tmp/x", "in a folder");
    put(folder, ".sda-1-2-ab.tmp/x", "in a folder");
    symlinkSync("nowhere", path(".model_library-2-ab.tmp"));
    index();
    const before = readdirSync(folder, { recursive: true }).sort();
    expect((await open()).count()).toBe(0);
    const after = readdirSync(folder, { recursive: true }).filter((n) => !/\.lock$/.test(`${n}`));
    expect(after.sort()).toEqual(before);
    expect(await warned()).toEqual(["SDA_CLEANUP_FAILED"]);
    expect(warnings[0]?.detail).toMatch(/folder\.sda: .*\n.*notes\.txt: /);
  });
});

describe("an interrupted deletion", () => {
  test("is undone, also if the folder below is gone", async () => {
    put(folder, ".sda-deleted-ab/sub%2Fm1.sda", "model");
    index(entryText(entry(1, { filePath: "sub/m1.sda" })));
    await open();
    expect(readFileSync(path("sub/m1.sda"), "utf8")).toBe("model");
    expect(existsSync(path(".sda-deleted-ab"))).toBe(false);
  });

  test("is undone, also if the entry can no longer be read", async () => {
    put(folder, ".sda-deleted-ab/m1.sda", "model");
    index(entryText(entry(1)).replace('"tags": []', '"tags": 1'));
    await open();
    expect(readFileSync(path("m1.sda"), "utf8")).toBe("model");
  });

  test("is undone, also if the entry spells the path in another way", async () => {
    put(folder, ".sda-deleted-ab/m1.sda", "model");
    index(entryText(entry(1, { filePath: "./m1.sda" })));
    await open();
    expect(readFileSync(path("m1.sda"), "utf8")).toBe("model");
  });

  test("that can't be undone keeps its entry, also after a repair", async () => {
    put(folder, "sub", "a file where the folder should be");
    put(folder, ".sda-deleted-ab/sub%2Fm1.sda", "model");
    index(entryText(entry(1, { filePath: "sub/m1.sda" })));
    const library = await open();
    expect(await library.repairIndex()).toEqual({
      removed: 0,
      added: 0,
      updated: 0,
      unreadable: ["sub/m1.sda"],
    });
    expect(existsSync(path(".sda-deleted-ab/sub%2Fm1.sda"))).toBe(true);
    expect(await warned()).toContain("SDA_CLEANUP_FAILED");
  });

  test("works with every name, the longest too", async () => {
    const names = [`${"%".repeat(251)}.sda`, "%2F.sda", "a%25b%.sda", `${"é".repeat(125)}.sda`];
    for (const [i, name] of names.entries()) {
      put(folder, name, "model");
      index(entryText(entry(i, { filePath: name })));
      expect(await deleteModel(entry(i).modelId, folder)).toBe(true);
      expect(existsSync(path(name))).toBe(false);
      // Files that this version and the previous one had hidden when they were interrupted
      for (const hidden of [name.replace(/%(?=25|2F|5C)/g, "%25"), encodeURIComponent(name)]) {
        if (hidden.length > 250 && hidden !== name) continue;
        put(folder, `.sda-deleted-ab/${hidden.replace(/%C3%A9/g, "é")}`, "model");
        index(entryText(entry(i, { filePath: name })));
        await open();
        expect(readFileSync(path(name), "utf8")).toBe("model");
      }
    }
  });
});

describe.skipIf(!process.getuid)("a folder that can't be written to, but locked", () => {
  // The superuser may write anywhere, so the test becomes another user for a while.
  const isRoot = process.getuid?.() === 0;
  const NOBODY = 65_534;
  beforeEach(() => {
    put(folder, ".model_library.lock", "");
    chmodSync(path(".model_library.lock"), 0o666);
    put(folder, "m1.sda", "model");
  });
  function close(): void {
    chmodSync(folder, 0o555);
    if (isRoot) process.seteuid?.(NOBODY);
  }
  afterEach(() => {
    if (isRoot) process.seteuid?.(0);
    chmodSync(folder, 0o777);
  });

  test("opens with leftovers in it", async () => {
    put(folder, ".model_library-1-ab.tmp", "half");
    index(entryText(entry(1)));
    close();
    expect((await open()).count()).toBe(1);
    expect(await warned()).toEqual(["SDA_CLEANUP_FAILED"]);
  });

  test("is read from the backup when the index is damaged", async () => {
    put(folder, INDEX, "{");
    put(folder, BACKUP, indexText([entryText(entry(1))]));
    close();
    const library = await open();
    expect(library.listAll()).toEqual([entry(1)]);
    await expect(library.addEntry(entry(2))).rejects.toMatchObject({ code: "ERR_SDA_IO" });
    expect(readFileSync(path(BACKUP), "utf8")).toBe(indexText([entryText(entry(1))]));
  });

  test("is read from the files when the backup is damaged as well", async () => {
    put(folder, INDEX, "{");
    put(folder, BACKUP, "{");
    copyFileSync(TINY, path("m1.sda"));
    close();
    expect((await open()).count()).toBe(1);
  });
});

test("a folder with the backup's name prevents no change", async () => {
  mkdirSync(path(BACKUP));
  put(folder, INDEX, "{");
  copyFileSync(TINY, path("m1.sda"));
  expect((await open()).count()).toBe(1);
  const aside = readdirSync(folder).filter((name) => name.includes(".damaged-"));
  expect(aside.map((name) => name.replace(/-\d.*/, "")).sort()).toEqual([
    `${INDEX}.bak.damaged`,
    `${INDEX}.damaged`,
  ]);
});

test("a backup that can't be written is a warning, and changes and deletions still succeed", async () => {
  mkdirSync(path(BACKUP));
  index(entryText(entry(1)));
  writeFileSync(path("m1.sda"), "model");
  const library = await open();
  await library.addEntry(entry(2));
  expect((await open()).count()).toBe(2);
  expect(await deleteModel(entry(1).modelId, folder)).toBe(true);
  expect(existsSync(path("m1.sda"))).toBe(false);
  expect((await open()).listAll()).toEqual([entry(2)]);
  expect(await warned()).toEqual(["SDA_CLEANUP_FAILED", "SDA_CLEANUP_FAILED"]);
  expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

test("a model whose entry can't be written leaves no file", async () => {
  put(folder, INDEX, '{"version": 3, "models": {}}');
  const saving = saveModelFromCheckpoint("test/fixtures/checkpoints/tiny.pt", {}, folder);
  await expect(saving).rejects.toMatchObject({ code: "ERR_SDA_VERSION" });
  expect(readdirSync(folder)).toEqual([INDEX]);
});

describe("an update that was interrupted", () => {
  /** A library with one model, and the pending file of an update beside it. */
  async function interrupted(): Promise<{ before: ModelEntry; after: ModelEntry }> {
    const before = await addModelFile(TINY, folder, { metadata: { name: "Kitchen" } });
    const file = path(before.filePath);
    const other = temporaryFolder();
    for (const name of readdirSync(folder)) copyFileSync(path(name), join(other, name));
    const after = await updateModel(before.modelId, other, { name: "Edited", tags: ["new"] });
    const { size, mtimeNs } = statSync(file, { bigint: true });
    const digest = createHash("sha256").update(`${entryText(after)}\n${size} ${mtimeNs}`);
    copyFileSync(join(other, after.filePath), path(`.sda-updated-${digest.digest("hex")}`));
    return { before, after };
  }
  const leftovers = () => readdirSync(folder).filter((name) => name.startsWith(".sda-"));

  test("before the index was written: it is discarded", async () => {
    const { before } = await interrupted();
    put(folder, ".sda-updating-0a1b", "half of a file");
    expect((await open()).listAll()).toEqual([before]);
    expect((await readMetadata(path(before.filePath))).name).toBe("Kitchen");
    expect(leftovers()).toEqual([]);
    expect(await warned()).toEqual([]);
  });

  test.each(["open", "repair", "update"])(
    "after the index was written: %s finishes it",
    async (by) => {
      index();
      const library = await open();
      const { after } = await interrupted();
      index(entryText(after));
      expect(leftovers()).toHaveLength(1);
      if (by === "open") await open();
      if (by === "repair") {
        expect(await library.repairIndex()).toEqual({
          removed: 0,
          added: 0,
          updated: 0,
          unreadable: [],
        });
      }
      if (by === "update") await updateModel(after.modelId, folder, { description: "more" });
      expect(await readMetadata(path(after.filePath))).toMatchObject({
        name: "Edited",
        tags: ["new"],
      });
      expect(leftovers()).toEqual([]);
      expect((await open()).get(after.modelId)?.name).toBe("Edited");
      expect(await warned()).toEqual([]);
    },
  );

  test("does not replace a file that another program has written since", async () => {
    const { before, after } = await interrupted();
    copyFileSync("test/fixtures/models/tiny-numpy1.sda", path(before.filePath));
    const theirs = readFileSync(path(before.filePath));
    index(entryText(after));
    await open();
    expect(readFileSync(path(before.filePath))).toEqual(theirs);
    expect(leftovers()).toEqual([]);
  });

  test("of a model that is gone is discarded", async () => {
    await interrupted();
    index();
    await open();
    expect(leftovers()).toEqual([]);
  });

  test("is kept if it is no file", async () => {
    put(folder, `.sda-updated-${"0".repeat(64)}/x`, "in a folder");
    put(folder, ".sda-updated-notes", "somebody's");
    symlinkSync("nowhere", path(".sda-updating-0a"));
    index();
    await open();
    expect(leftovers().sort()).toEqual(
      [`.sda-updated-${"0".repeat(64)}`, ".sda-updated-notes", ".sda-updating-0a"].sort(),
    );
  });
});
