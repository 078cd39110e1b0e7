import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import {
  deleteModel,
  type ModelEntry,
  ModelLibrary,
  readMetadata,
  verifyFile,
} from "../../../lib/index.js";
import { entryText } from "../../../lib/library/index/entry.js";
import { ModelsFolder } from "../../../lib/library/index/folder.js";
import { withLock } from "../../../lib/library/index/lock.js";
import { load, save, Tensor } from "../../../lib/torch/index.js";
import { sdaError } from "../../support/errors.js";
import { temporaryFolder } from "../../support/folder.js";
import { entry, INDEX, indexText, put } from "../support.js";

const TINY = "test/fixtures/models/tiny.sda";

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

const path = (name: string) => join(folder, name);
const visible = () =>
  readdirSync(folder).filter((name) => !/^\.model_library\.lock$|^model_library/.test(name));

async function libraryWith(...entries: ModelEntry[]): Promise<ModelLibrary> {
  put(folder, INDEX, indexText(entries.map(entryText)));
  return ModelLibrary.open(folder);
}

describe("repairIndex", () => {
  test("drops an entry whose file is missing", async () => {
    put(folder, "m1.sda", "");
    const library = await libraryWith(entry(1), entry(2));
    expect(await library.repairIndex()).toEqual({
      removed: 1,
      added: 0,
      updated: 0,
      unreadable: [],
    });
    expect(library.listAll()).toEqual([entry(1)]);
    expect(await library.repairIndex()).toEqual({
      removed: 0,
      added: 0,
      updated: 0,
      unreadable: [],
    });
  });

  test("adds files from their metadata, and reports those that can't be read", async () => {
    const library = await libraryWith();
    copyFileSync(TINY, path("tiny.sda"));
    put(folder, "broken.sda", "no model");
    put(folder, ".hidden.sda", "no model");
    put(folder, "notes.txt", "no model");
    mkdirSync(path("folder.sda"));
    symlinkSync("/etc/hostname", path("link.sda"));
    const steps: unknown[][] = [];
    const result = await library.repairIndex({
      onProgress: (done, total, file, error) =>
        steps.push([done, total, file, (error as { code?: string } | undefined)?.code]),
    });
    expect(result).toEqual({
      removed: 0,
      added: 1,
      updated: 0,
      unreadable: ["broken.sda", "folder.sda", "link.sda"],
    });
    expect(steps.map(([done, total]) => [done, total])).toEqual([1, 2, 3, 4].map((i) => [i, 4]));
    expect(Object.fromEntries(steps.map(([, , file, code]) => [file, code]))).toEqual({
      "tiny.sda": undefined,
      "broken.sda": "ERR_SDA_FORMAT",
      "folder.sda": "ERR_SDA_FORMAT",
      "link.sda": "ERR_SDA_UNSAFE",
    });
    const { generation: _, ...metadata } = await readMetadata(TINY);
    expect(library.listAll()).toEqual([
      { ...metadata, filePath: "tiny.sda", fileSizeBytes: readFileSync(TINY).length },
    ]);
    expect(existsSync(path("broken.sda"))).toBe(true);
  });

  test("copies of a model get ids of their own, and keep them", async () => {
    const library = await libraryWith();
    for (const name of ["a.sda", "b.sda", "c.sda"]) copyFileSync(TINY, path(name));
    expect(await library.repairIndex()).toMatchObject({ removed: 0, added: 3 });
    const { modelId } = await readMetadata(TINY);
    const found = () => library.listAll().map((e) => [e.filePath, e.modelId]);
    expect(found()).toEqual([
      ["a.sda", modelId],
      ["b.sda", "b"],
      ["c.sda", "c"],
    ]);
    expect(await library.repairIndex()).toMatchObject({ removed: 0, added: 0 });
    expect(await deleteModel("b", folder)).toBe(true);
    expect(visible()).toEqual(["a.sda", "c.sda"]);
  });

  test("a file that was renamed keeps its id", async () => {
    const { modelId } = await readMetadata(TINY);
    const library = await libraryWith(entry(1, { modelId, filePath: "old.sda" }));
    copyFileSync(TINY, path("new.sda"));
    expect(await library.repairIndex()).toMatchObject({ removed: 1, added: 1 });
    expect(library.get(modelId)?.filePath).toBe("new.sda");
  });

  test("ignores files whose names are paths out of the folder on another system", async () => {
    const names = ["C:\\m.sda", "\\m.sda"];
    copyFileSync(TINY, path("tiny.sda"));
    for (const name of names) copyFileSync(TINY, path(name));
    const library = await libraryWith();
    expect(await library.repairIndex()).toEqual({
      removed: 0,
      added: 1,
      updated: 0,
      unreadable: names,
    });
    // They do not prevent a new index either.
    put(folder, INDEX, "{");
    unlinkSync(path("model_library.json.bak"));
    expect((await ModelLibrary.open(folder)).listAll()).toEqual(library.listAll());
    expect(names.every((name) => existsSync(path(name)))).toBe(true);
  });

  test("a broken or circular link is a missing file", async () => {
    symlinkSync("gone.sda", path("m1.sda"));
    symlinkSync("m3.sda", path("m2.sda"));
    symlinkSync("m2.sda", path("m3.sda"));
    symlinkSync("m5.sda", path("m4.sda"));
    put(folder, "m5.sda", "");
    const library = await libraryWith(entry(1), entry(2), entry(4), entry(5));
    expect(await library.repairIndex()).toMatchObject({ removed: 2 });
    expect(library.listAll()).toEqual([entry(5), entry(4)]);
  });

  test("an entry that spells the path in another way is the file's entry", async () => {
    copyFileSync(TINY, path("a.sda"));
    const fileSizeBytes = readFileSync(TINY).length;
    const library = await libraryWith(entry(1, { filePath: "./a.sda", fileSizeBytes }));
    expect(await library.repairIndex()).toEqual({
      removed: 0,
      added: 0,
      updated: 0,
      unreadable: [],
    });
  });

  test.runIf(process.platform === "linux")("reads no weights", async () => {
    const content = (await load(TINY)) as Map<string, unknown>;
    const MIB = 2 ** 20;
    content.set("ballast", new Tensor("uint8", [64 * MIB], new Uint8Array(64 * MIB)));
    await save(content, path("large.sda"));
    // Damage in the weights must go unnoticed.
    const file = openSync(path("large.sda"), "r+");
    writeSync(file, Buffer.of(1), 0, 1, 32 * MIB);
    closeSync(file);
    expect((await verifyFile(path("large.sda"))).ok).toBe(false);
    const library = await libraryWith();
    const bytesRead = () => Number(/rchar: (\d+)/.exec(readFileSync("/proc/self/io", "utf8"))?.[1]);
    const faults = () => process.resourceUsage().minorPageFault;
    const before = [bytesRead(), faults()] as const;
    expect(await library.repairIndex()).toEqual({
      removed: 0,
      added: 1,
      updated: 0,
      unreadable: [],
    });
    expect(bytesRead() - before[0]).toBeLessThan(4 * MIB);
    expect(faults() - before[1]).toBeLessThan((32 * MIB) / 4096); // and not through a mapping
  });

  test("stops when its signal is aborted", async () => {
    const library = await libraryWith();
    for (let i = 0; i < 40; i++) copyFileSync(TINY, path(`m${i}.sda`));
    const controller = new AbortController();
    const reason = new Error("enough");
    const repair = library.repairIndex({
      signal: controller.signal,
      onProgress: () => controller.abort(reason),
    });
    await expect(repair).rejects.toBe(reason);
    expect(library.count()).toBe(0);
  });

  test("removes leftovers of dead writers, and none of living ones", async () => {
    const library = await libraryWith(entry(1));
    put(folder, "m1.sda", "");
    put(folder, ".model_library-123-abcdef.tmp", "half an ind");
    put(folder, ".sda-deleted-00/m1.sda", "older");
    put(folder, ".sda-deleted-01/m2.sda", "deleted");
    mkdirSync(path(".sda-deleted-02"));
    put(folder, ".sda-notes", "mine");
    await library.repairIndex();
    expect(visible()).toEqual([".sda-notes", "m1.sda"]);
    expect(readFileSync(path("m1.sda"), "utf8")).toBe("");
  });
});

describe("deleteModel", () => {
  test("removes file and entry; false for an unknown id", async () => {
    put(folder, "m1.sda", "");
    put(folder, "m2.sda", "");
    const library = await libraryWith(entry(1), entry(2), entry(3));
    expect(await deleteModel("unknown", folder)).toBe(false);
    expect(readdirSync(folder)).not.toContain(".model_library.lock");
    expect(await deleteModel(entry(1).modelId, folder)).toBe(true);
    expect(await deleteModel(entry(1).modelId, folder)).toBe(false);
    expect(await deleteModel(entry(3).modelId, folder)).toBe(true); // its file was missing before
    expect(visible()).toEqual(["m2.sda"]);
    expect(await library.refresh()).toBe(true);
    expect(library.listAll()).toEqual([entry(2)]);
    expect((await sdaError(() => deleteModel("x", path("none")))).code).toBe("ERR_SDA_NOT_FOUND");
  });

  test("interrupted before the entry was removed: undone", async () => {
    put(folder, ".sda-deleted-00/m1.sda", "model");
    const library = await libraryWith(entry(1));
    expect(library.count()).toBe(1);
    expect(readFileSync(path("m1.sda"), "utf8")).toBe("model");
    expect(visible()).toEqual(["m1.sda"]);
  });

  test("interrupted after the entry was removed: finished", async () => {
    put(folder, ".sda-deleted-00/sub%2Fm1.sda", "model");
    await libraryWith();
    expect(visible()).toEqual([]);
  });

  test.each(["model_library.json", "model_library.json.bak", ".model_library.lock", "notes.txt"])(
    "deletes no file but models: %s",
    async (name) => {
      put(folder, "notes.txt", "mine");
      put(folder, "model_library.json.bak", "{}");
      await libraryWith(entry(1, { filePath: name }));
      const before = readFileSync(path(INDEX), "utf8");
      const error = await sdaError(() => deleteModel(entry(1).modelId, folder));
      expect(error.code).toBe("ERR_SDA_SCHEMA");
      expect(readFileSync(path(INDEX), "utf8")).toBe(before);
      expect(readdirSync(folder)).toEqual(
        expect.arrayContaining([".model_library.lock", INDEX, `${INDEX}.bak`, "notes.txt"]),
      );
    },
  );

  test("deletes no folder", async () => {
    mkdirSync(path("m1.sda"));
    await libraryWith(entry(1));
    expect((await sdaError(() => deleteModel(entry(1).modelId, folder))).code).toBe(
      "ERR_SDA_FORMAT",
    );
  });
});

describe("the lock", () => {
  test("others wait for it until their time limit or their signal", async () => {
    const library = await libraryWith();
    const at = await ModelsFolder.at(folder);
    let late: Promise<void> | undefined;
    await withLock(at, {}, async () => {
      const error = await sdaError(() => library.addEntry(entry(1), { lockTimeoutMs: 50 }));
      expect(error.code).toBe("ERR_SDA_LOCKED");
      expect(error.details).toEqual({ path: path(".model_library.lock"), timeoutMs: 50 });

      const reason = new Error("enough");
      await expect(library.addEntry(entry(1), { signal: AbortSignal.abort(reason) })).rejects.toBe(
        reason,
      );
      const controller = new AbortController();
      const stopped = library.addEntry(entry(2), { signal: controller.signal });
      late = library.addEntry(entry(3));
      setTimeout(() => controller.abort(reason), 20);
      await expect(stopped).rejects.toBe(reason);
      // Reading does not wait for the lock.
      expect((await ModelLibrary.open(folder)).count()).toBe(0);
    });
    await late;
    expect(library.listAll()).toEqual([entry(3)]);
  });

  test("two writers never have the lock, even if the lock file is removed", async () => {
    const at = await ModelsFolder.at(folder);
    let inside = 0;
    const work = () =>
      withLock(at, {}, async () => {
        expect(++inside).toBe(1);
        await new Promise((resolve) => setTimeout(resolve, 5));
        inside--;
      });
    await Promise.all([work(), work(), work()]);
    unlinkSync(at.lock);
    await Promise.all([work(), work(), work()]);
  });
});
