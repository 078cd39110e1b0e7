/** The lock of a models folder: whom it lets in, and what stands in for it. */
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { deleteModel, ModelLibrary, updateModel } from "../../../lib/index.js";
import { count, isFull } from "../../support/effort.js";
import { sdaError } from "../../support/errors.js";
import { failing, faultLayer } from "../../support/fault-layer.js";
import { fixture } from "../../support/fixtures.js";
import { temporaryFolder } from "../../support/folder.js";
import { asUser, canRun, runScript, startScript } from "../../support/script.js";
import { BACKUP, entry, INDEX, put } from "../support.js";

const LOCK = ".model_library.lock";
const [ANNA, BEN, GROUP] = [7001, 7002, 7000];

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

const model = () => readFileSync(fixture("models/tiny.sda"));
const ids = async () => (await ModelLibrary.open(folder)).listAll().map((e) => e.modelId);

/** A script that changes the library. It prints "done", or the error's code and message. */
const changing = (at: string, change: string, umask = 0o022, open = "{}") => `
  const { ModelLibrary } = await import(LIB);
  process.umask(${umask});
  try {
    const library = await ModelLibrary.open(${JSON.stringify(at)}, ${open});
    ${change};
    console.log("done");
  } catch (error) { console.log(error.code, error.message); }`;
const add = (number: number) => `await library.addEntry(${JSON.stringify(entry(number))})`;

const otherUsers = canRun(
  "other users need root, setpriv and a checkout that they can read",
  ...(asUser(ANNA) as [string]),
  "test",
  "-r",
  import.meta.filename,
);

describe.skipIf(!otherUsers)("a folder of several users", () => {
  it("may be changed by all of its group, whatever their umask", () => {
    chownSync(folder, 0, GROUP);
    chmodSync(folder, 0o2775);
    for (const [i, uid] of [ANNA, BEN, ANNA, BEN].entries()) {
      const script = changing(folder, add(i + 1), i < 2 ? 0o022 : 0o077);
      expect(runScript(script, { under: asUser(uid, GROUP) })).toBe("done");
    }
    // The Python program writes the index in place.
    expect(statSync(join(folder, INDEX))).toMatchObject({ gid: GROUP });
    expect(statSync(join(folder, INDEX)).mode & 0o777).toBe(0o664);
  });

  it("stays its owner's when root has changed it, with a lock of any mode", () => {
    chownSync(folder, ANNA, ANNA);
    for (const mode of [0o644, 0o600]) {
      expect(runScript(changing(folder, add(1)))).toBe("done");
      expect(statSync(join(folder, INDEX))).toMatchObject({ uid: ANNA, gid: ANNA });
      expect(runScript(changing(folder, add(2)), { under: asUser(ANNA) })).toBe("done");
      // A lock file of an earlier version can be opened for reading only, or not at all.
      chmodSync(join(folder, LOCK), mode);
      const outcome = runScript(changing(folder, add(3)), { under: asUser(ANNA) });
      if (mode === 0o644) expect(outcome).toBe("done");
      else expect(outcome).toMatch(/^ERR_SDA_IO cannot lock .*Permission denied/);
    }
  });

  it("is no place for strangers", () => {
    chmodSync(folder, 0o755);
    expect(runScript(changing(folder, add(1)))).toBe("done");
    const outcome = runScript(changing(folder, add(2)), { under: asUser(ANNA) });
    expect(outcome).toMatch(/^ERR_SDA_IO /);
  });

  it("lists its models to a user who can't change it, without an index too", () => {
    put(folder, "a.sda", model());
    chmodSync(folder, 0o755);
    const list = changing(folder, "console.log(library.listAll().map((e) => e.filePath).join())");
    expect(runScript(list, { under: asUser(ANNA) })).toBe("a.sda\ndone");
    expect(readdirSync(folder)).toEqual(["a.sda"]);
    // A damaged index is read from the files, or from its backup, in memory.
    put(folder, INDEX, "{damaged");
    expect(runScript(list, { under: asUser(ANNA) })).toBe("a.sda\ndone");
    expect(readdirSync(folder)).toEqual(["a.sda", INDEX]);
  });
});

describe("a lock file", () => {
  it("that is a link is not followed", async () => {
    const target = join(temporaryFolder(), "target");
    symlinkSync(target, join(folder, LOCK));
    const library = await ModelLibrary.open(folder);
    const error = await sdaError(() => library.addEntry(entry(1)));
    expect(error.code).toBe("ERR_SDA_IO");
    expect(error.message).toContain("symbolic link");
    expect(existsSync(target)).toBe(false);
  });

  it("that is a folder is refused", async () => {
    mkdirSync(join(folder, LOCK));
    const library = await ModelLibrary.open(folder);
    expect((await sdaError(() => library.addEntry(entry(1)))).code).toBe("ERR_SDA_IO");
  });
});

describe("without flock", () => {
  let layer: string | null = null;
  beforeAll(() => {
    layer = faultLayer(temporaryFolder());
  });

  /** Runs a script where each `flock` on the folder's files fails with ENOLCK (37). */
  function withoutFlock(change: string, open?: string): string {
    const env = failing(layer ?? "", folder, "l", 37);
    return runScript(changing(folder, change, 0o022, open), { env });
  }

  it("a change is refused with advice, and the models are listed", async ({ skip }) => {
    if (layer === null) skip("needs a C compiler and glibc");
    put(folder, "a.sda", model());
    const refused = withoutFlock("await library.repairIndex()");
    expect(refused).toMatch(/^ERR_SDA_IO .*does not support flock.*lock: "file".*lock: "none"/);
    const listed = withoutFlock("console.log(library.count())");
    expect(listed).toBe("1\ndone");
    expect(existsSync(join(folder, INDEX))).toBe(false);
    expect(withoutFlock("await library.repairIndex()", '{ lock: "file" }')).toBe("done");
    expect(withoutFlock(add(1), '{ lock: "none" }')).toBe("done");
    expect(await ids()).toHaveLength(2);
  });
});

describe.each(["file", "none"] as const)("lock: %j", (lock) => {
  it("serves the library and the functions for a folder", async () => {
    put(folder, "a.sda", model());
    const library = await ModelLibrary.open(folder, { lock });
    expect(await library.repairIndex()).toMatchObject({ added: 1 });
    const modelId = library.listAll()[0]?.modelId as string;
    const changed = await updateModel(modelId, { name: "New" }, folder, { lock });
    expect(changed.name).toBe("New");
    expect(await deleteModel(modelId, folder, { lock })).toBe(true);
    expect(readdirSync(folder).filter((name) => name.startsWith("."))).toEqual([]);
  });

  it("loses no change of several libraries", async () => {
    const libraries = await Promise.all(
      Array.from({ length: 4 }, () => ModelLibrary.open(folder, { lock })),
    );
    const numbers = Array.from({ length: 20 }, (_, i) => i + 1);
    await Promise.all(numbers.map((n) => libraries[n % 4]?.addEntry(entry(n))));
    expect(await ids()).toHaveLength(20);
  });
});

describe('lock: "file"', () => {
  it("excludes other processes, until they end", async () => {
    const child = startScript(`
      const { withLock } = await import(new URL("./library/index/lock.js", LIB));
      const { ModelsFolder } = await import(new URL("./library/index/folder.js", LIB));
      const folder = await ModelsFolder.at(${JSON.stringify(folder)}, "file");
      await withLock(folder, {}, async () => {
        console.log("locked");
        await new Promise((resolve) => setTimeout(resolve, 60_000));
      });`);
    await once(child.stdout as NodeJS.ReadableStream, "data");
    const library = await ModelLibrary.open(folder, { lock: "file" });
    const busy = await sdaError(() => library.addEntry(entry(1), { lockTimeoutMs: 100 }));
    expect(busy.code).toBe("ERR_SDA_LOCKED");
    child.kill("SIGKILL");
    await once(child, "close");
    expect(existsSync(join(folder, `${LOCK}.held`))).toBe(true);
    await library.addEntry(entry(1), { lockTimeoutMs: 5000 });
    expect(existsSync(join(folder, `${LOCK}.held`))).toBe(false);
  });

  it("loses no change of several processes", async () => {
    const starts = [0, 10, 20].map((first) => {
      const adds = Array.from({ length: 10 }, (_, i) => add(first + i + 1)).join(";\n");
      return startScript(changing(folder, adds, 0o022, '{ lock: "file" }'));
    });
    await Promise.all(starts.map((child) => once(child, "close")));
    expect(await ids()).toHaveLength(30);
  });

  it.skipIf(!isFull)("of a process on another machine ends when nothing touches it", async () => {
    const holder = { id: "x", machine: "00000000", pid: 1, start: 1 };
    writeFileSync(join(folder, `${LOCK}.held`), JSON.stringify(holder));
    const library = await ModelLibrary.open(folder, { lock: "file" });
    const busy = await sdaError(() => library.addEntry(entry(1), { lockTimeoutMs: 100 }));
    expect(busy.code).toBe("ERR_SDA_LOCKED");
    await library.addEntry(entry(1));
    expect(await ids()).toHaveLength(1);
  });

  it("refuses an unknown kind", async () => {
    const open = () => ModelLibrary.open(folder, { lock: "lease" as "file" });
    expect((await sdaError(open)).details).toMatchObject({ option: "lock" });
  });
});

describe("a damaged index", () => {
  it("whose backup is one change older still lists the model saved last", async () => {
    put(folder, "first.sda", model());
    const library = await ModelLibrary.open(folder);
    await library.repairIndex();
    const saved = await library.import(fixture("models/tiny-legacy.sda"), {
      metadata: { name: "Last" },
    });
    expect(readFileSync(join(folder, BACKUP), "utf8")).not.toContain(saved.modelId);
    put(folder, INDEX, "");
    expect(await ids()).toContain(saved.modelId);
    expect(await ids()).toHaveLength(2);
  });

  it("of blanks is replaced quickly, however large, and as much JSON is refused", async () => {
    const size = count({ quick: 40e6, full: 300e6 });
    put(folder, "a.sda", model());
    put(folder, INDEX, Buffer.alloc(size, " "));
    const begun = performance.now();
    expect(await ids()).toHaveLength(1);
    expect(performance.now() - begun).toBeLessThan(5000);
    put(folder, INDEX, Buffer.concat([Buffer.from("{"), Buffer.alloc(size, " ")]));
    const error = await sdaError(() => ModelLibrary.open(folder));
    expect(error.code).toBe("ERR_SDA_LIMIT");
    expect(dirname(error.details?.["path"] as string)).toBe(folder);
  });
});

describe("a model file", () => {
  it("may have its suffix in capitals", async () => {
    for (const name of ["LOUD.SDA", "Mixed.Sda"]) put(folder, name, model());
    const library = await ModelLibrary.open(folder);
    expect(await library.repairIndex()).toMatchObject({ added: 2, unreadable: [] });
    for (const { modelId } of library.listAll()) expect(await library.delete(modelId)).toBe(true);
    expect(readdirSync(folder).filter((name) => /\.sda$/i.test(name))).toEqual([]);
  });
});
