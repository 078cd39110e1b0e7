/**
 * A library is right after any end of a process that changes it: killed at random moments and at each system call in
 * turn, or with a disk that is full or failing at each of them.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ModelLibrary, readMetadata } from "../../lib/index.js";
import { parsePythonJson } from "../../lib/library/python-json.js";
import { compileLibrary } from "./compiled.js";

// With those at each system call, more than 500 in all.
const RANDOM_KILLS = Number(process.env["SDA_RANDOM_KILLS"] ?? 400);
const LANES = 4;
const LONGEST_LIFE_MS = 60;
const fixtures = resolve("test/fixtures");
const child = fileURLToPath(new URL("crash-child.mjs", import.meta.url));

let compiled: ReturnType<typeof compileLibrary>;
let place: string;
beforeAll(() => {
  compiled = compileLibrary();
  place = mkdtempSync(join(tmpdir(), "sda-crash-"));
});
afterAll(() => {
  compiled.remove();
  rmSync(place, { recursive: true, force: true });
});

const warnings: string[] = [];
const listen = (warning: Error & { code?: string }) => warnings.push(warning.code ?? warning.name);
beforeAll(() => {
  process.on("warning", listen);
});
afterAll(() => {
  process.off("warning", listen);
});

type Fate = "adding" | "added" | "removing" | "removed";

/** A folder, and what is known about the fate of each of its entries. */
class Subject {
  folder = mkdtempSync(join(place, "library-"));
  fates = new Map<string, Fate>();
  failure = "";

  static async create(): Promise<Subject> {
    const subject = new Subject();
    copyFileSync(join(fixtures, "models/tiny.sda"), join(subject.folder, "keep.sda"));
    await (await ModelLibrary.open(subject.folder)).repairIndex();
    return subject;
  }

  copy(): Subject {
    const subject = new Subject();
    cpSync(this.folder, subject.folder, { recursive: true });
    subject.fates = new Map(this.fates);
    return subject;
  }

  start(seed: number, operations: string[] = [], strace: string[] = []): ChildProcess {
    const args = [child, compiled.url, this.folder, fixtures, String(seed), ...operations];
    const [command, ...rest] = [...strace, process.execPath, ...args] as [string, ...string[]];
    return spawn(command, rest, {
      stdio: ["ignore", "pipe", "inherit"],
      // One thread each, so that system calls come in the same order every time.
      env: { ...process.env, ...(strace.length > 0 && { UV_THREADPOOL_SIZE: "1" }) },
    });
  }

  /** Follows what the child says, to its end. @returns whether it got to its own end */
  async follow(started: ChildProcess, onReady?: () => void): Promise<boolean> {
    let output = "";
    started.stdout?.setEncoding("utf8").on("data", (text: string) => {
      if (output === "") onReady?.();
      output += text;
    });
    await new Promise((done) => started.on("close", done));
    let ended = false;
    for (const line of output.split("\n")) {
      const [word, ...rest] = line.split(" ");
      if (word === "end") ended = true;
      else if (word === "failed") this.failure = rest.join(" ");
      else if (word !== "ready" && rest[0]) this.fates.set(rest[0], word as Fate);
    }
    return ended;
  }

  async check(): Promise<void> {
    expect(this.#isWhole("model_library.json") || this.#isWhole("model_library.json.bak")).toBe(
      true,
    );
    const library = await ModelLibrary.open(this.folder);
    this.#checkFates(library);
    expect((await library.repairIndex()).unreadable).toEqual([]);
    this.#checkFates(library);
    // Nothing is left that belongs to nobody, and every file is a whole model with an entry.
    const files = new Set(library.listAll().map((e) => e.filePath));
    const names = readdirSync(this.folder).filter(
      (name) => !/^\.?model_library\.(json|lock)/.test(name),
    );
    expect(new Set(names)).toEqual(files);
    for (const name of names) await readMetadata(join(this.folder, name));
    expect(warnings).toEqual([]);
    // What was settled now stays so.
    for (const id of this.fates.keys()) this.fates.set(id, library.get(id) ? "added" : "removed");
  }

  #checkFates(library: ModelLibrary): void {
    for (const [id, fate] of this.fates) {
      const found = library.get(id);
      if (fate === "added") expect(found, id).not.toBeNull();
      if (fate === "removed") expect(found, id).toBeNull();
      if (found) expect(existsSync(join(this.folder, found.filePath)), id).toBe(true);
    }
  }

  #isWhole(name: string): boolean {
    try {
      return parsePythonJson(readFileSync(join(this.folder, name), "utf8")) instanceof Map;
    } catch {
      return false;
    }
  }
}

test(`${RANDOM_KILLS} kills at random moments`, { timeout: 180_000 }, async () => {
  let kills = 0;
  const lane = async () => {
    const subject = await Subject.create();
    while (kills < RANDOM_KILLS) {
      const started = subject.start(++kills);
      // In the reading of stdout, so no kill comes before the first change has begun.
      await subject.follow(started, () => {
        setTimeout(() => started.kill("SIGKILL"), Math.random() * LONGEST_LIFE_MS);
      });
      expect(subject.failure).toBe("");
      await subject.check();
    }
    return subject.fates.size;
  };
  const changed = await Promise.all(Array.from({ length: LANES }, lane));
  expect(changed.reduce((sum, n) => sum + n)).toBeGreaterThan(RANDOM_KILLS);
});

const traces =
  spawnSync("strace", ["-f", "-e", "inject=fsync:error=EIO:when=9", "true"]).status === 0;
if (!traces) console.warn("strace can't inject faults here: those tests are skipped.");

/** What changes the folder. Node itself calls none of these when it starts. */
const CALLS = {
  rename: "rename,renameat,renameat2",
  unlink: "unlink,unlinkat,rmdir",
  create: "mkdir,mkdirat,link,linkat,fchmod",
  write: "pwrite64,pwritev,copy_file_range,sendfile,ftruncate",
  sync: "fsync,fdatasync",
  lock: "flock",
};

function strace(calls: string, fault: string, nth: number): string[] {
  const inject = `inject=${calls}:${fault}:when=${nth}`;
  return ["strace", "-f", "-qqq", "-o", "/dev/null", "-e", `trace=${calls}`, "-e", inject];
}

describe.skipIf(!traces).concurrent("at each system call in turn", { timeout: 180_000 }, () => {
  let before: Subject;

  beforeAll(async () => {
    before = await Subject.create();
    expect(await before.follow(before.start(1, ["add", "save", "add"]))).toBe(true);
    await before.check();
  });

  /** Does the operation once for each call of these, with the fault at that call. @returns how many ended early */
  async function atEach(operation: string, calls: string, fault: string): Promise<Subject[]> {
    const early: Subject[] = [];
    // A model is written in many calls that are all alike: of those, some.
    for (let nth = 1, ends = 0; ends < 3; nth += nth < 12 ? 1 : 7) {
      const subject = before.copy();
      const started = subject.start(nth + 100, [operation], strace(calls, fault, nth));
      const ended = await subject.follow(started);
      await subject.check();
      // Some faults are worked around, such as that of a copy by the kernel, so one end is not the last of them.
      if (ended) ends += fault === "signal=SIGKILL" ? 3 : 1;
      else early.push(subject);
    }
    return early;
  }

  for (const operation of ["save", "add", "delete", "remove"]) {
    test(`killed: ${operation}`, async () => {
      let kills = 0;
      for (const calls of Object.values(CALLS)) {
        kills += (await atEach(operation, calls, "signal=SIGKILL")).length;
      }
      expect(kills).toBeGreaterThan(5);
    });
  }

  const FAULTS = {
    ENOSPC: [CALLS.rename, CALLS.create, CALLS.write],
    EIO: [CALLS.write, CALLS.sync],
  };
  for (const [fault, kinds] of Object.entries(FAULTS)) {
    for (const operation of ["save", "add", "delete"]) {
      test(`${fault}: ${operation}`, async () => {
        const failures: string[] = [];
        for (const calls of kinds) {
          for (const { failure } of await atEach(operation, calls, `error=${fault}`)) {
            failures.push(failure);
          }
        }
        expect(failures.length).toBeGreaterThan(2);
        for (const failure of failures) expect(failure).toMatch(/^ERR_SDA_IO /);
      });
    }
  }
});
