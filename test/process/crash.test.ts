/**
 * A library stays correct however a process ends that changes it: killed at random moments, killed
 * at any system call, or with a disk that is full or fails at any system call.
 */
import { type ChildProcess, spawn } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { constants, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parsePythonJson } from "../../lib/base/python-json.js";
import {
  describeModel,
  type ModelEntry,
  ModelLibrary,
  readMetadata,
  verifyFile,
} from "../../lib/index.js";
import { compiled } from "../support/compiled.js";
import { count } from "../support/effort.js";
import { faultLayer, faultLayerIn } from "../support/fault-layer.js";

const RANDOM_KILLS = count({ quick: 12, full: 300 }, "SDA_RANDOM_KILLS");
const KILLS_IN_ALL = count({ quick: 25, full: 500 });
/** At how many of the calls of an operation to try a fault */
const CALLS = count({ quick: 1, full: Number.POSITIVE_INFINITY });
const LANES = 4;
const LONGEST_LIFE_MS = 60;
const fixtures = resolve("test/fixtures");
const child = fileURLToPath(new URL("crash-child.mjs", import.meta.url));

let kills = 0;
let place: string;
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "sda-crash-"));
});
afterAll(() => {
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

/** Stands for the name or label that a model had before any edit. */
const UNEDITED = "";

/** A models folder, and what is known about each of its entries. */
class Subject {
  folder = mkdtempSync(join(place, "library-"));
  fates = new Map<string, Fate>();
  /** Possible names and first labels of edited models by id; the acknowledged one comes first */
  names = new Map<string, string[]>();
  labels = new Map<string, string[]>();
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
    subject.names = new Map(this.names);
    subject.labels = new Map(this.labels);
    return subject;
  }

  start(
    seed: number,
    operations: string[] = [],
    faults?: Partial<Record<`SDA_FAULT_${string}` | "SDA_FAULT", string>>,
  ): ChildProcess {
    const args = [
      child,
      pathToFileURL(compiled("lib")).href,
      this.folder,
      fixtures,
      String(seed),
      ...operations,
    ];
    // With one thread in Node's pool, system calls have the same order in each run.
    const layered = {
      LD_PRELOAD: layer,
      SDA_FAULT_FOLDER: this.folder,
      UV_THREADPOOL_SIZE: "1",
      NODE_NO_WARNINGS: "1",
    };
    return spawn(process.execPath, args, {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ...(faults && { ...layered, ...faults }) },
    });
  }

  /** Reads what the child prints until it ends. @returns whether it completed its operations */
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
      else if (/^(renam|labell)(ing|ed)$/.test(word ?? "")) this.#edited(word, rest);
      else if (word !== "ready" && rest[0]) this.fates.set(rest[0], word as Fate);
    }
    return ended;
  }

  #edited(word = "", [id = "", text = ""]: string[]): void {
    const texts = word.startsWith("renam") ? this.names : this.labels;
    texts.set(id, word.endsWith("ed") ? [text] : [...(texts.get(id) ?? [UNEDITED]), text]);
  }

  /** `rejected`: the change threw an error, and the process then ended by itself. */
  async check({ rejected = false, mayLeaveFile = false } = {}): Promise<void> {
    expect(this.#isWhole("model_library.json") || this.#isWhole("model_library.json.bak")).toBe(
      true,
    );
    const library = await ModelLibrary.open(this.folder);
    this.#checkFates(library);
    if (rejected) this.#checkRejected(library, mayLeaveFile);
    expect((await library.repairIndex()).unreadable).toEqual([]);
    this.#checkFates(library);
    // Every file is a complete model with an entry; nothing else is left.
    const files = new Set(library.listAll().map((e) => e.filePath));
    const names = readdirSync(this.folder).filter(
      (name) => !/^\.?model_library\.(json|lock)/.test(name),
    );
    expect(new Set(names)).toEqual(files);
    for (const entry of library.listAll()) await this.#checkEdited(entry, rejected);
    for (const name of names) {
      const path = join(this.folder, name);
      await readMetadata(path);
      expect(await verifyFile(path), name).toMatchObject({ ok: true }); // no weight is damaged
    }
    expect(warnings).toEqual([]);
    // A later check must find the same.
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

  /** File and entry agree: both have the texts from before the change, or both those after it. */
  async #checkEdited(entry: ModelEntry, rejected: boolean): Promise<void> {
    const { modelId, filePath, name, description, tags } = entry;
    if (!this.names.has(modelId) && !this.labels.has(modelId)) return;
    const file = await describeModel(join(this.folder, filePath));
    expect(file.metadata, modelId).toMatchObject({ name, description, tags });
    expect(file.bytes, modelId).toBe(entry.fileSizeBytes);
    for (const [texts, found] of [
      [this.names, name],
      [this.labels, file.sliders[0]?.label ?? ""],
    ] as const) {
      const known = texts.get(modelId);
      if (!known) continue;
      const isUnedited = !/^(edited|label)-/.test(found);
      const possible = rejected ? known.slice(0, 1) : known;
      expect(possible, `${modelId}: ${found}`).toContain(isUnedited ? UNEDITED : found);
      texts.set(modelId, [isUnedited ? UNEDITED : found]);
    }
    if (this.names.get(modelId)?.[0] === name) expect(tags).toEqual([name]);
  }

  /** A rejected change was made neither in the index nor among the files. */
  #checkRejected(library: ModelLibrary, mayLeaveFile: boolean): void {
    for (const [id, fate] of this.fates) {
      if (fate === "adding") expect(library.get(id), id).toBeNull();
      if (fate === "removing") expect(library.get(id), id).not.toBeNull();
    }
    if (mayLeaveFile) return;
    const files = readdirSync(this.folder).filter((name) => name.endsWith(".sda"));
    expect(new Set(files)).toEqual(new Set(library.listAll().map((e) => e.filePath)));
  }

  #isWhole(name: string): boolean {
    try {
      return parsePythonJson(readFileSync(join(this.folder, name), "utf8")) instanceof Map;
    } catch {
      return false;
    }
  }
}

test(`${RANDOM_KILLS} kills at random moments`, { timeout: 300_000 }, async () => {
  let started = 0;
  const subjects: Subject[] = [];
  const changed = () => subjects.reduce((sum, { fates }) => sum + fates.size, 0);
  // Most processes change something. On a busy machine they get less done, so there are more.
  const isEnough = () =>
    started >= RANDOM_KILLS && (changed() > RANDOM_KILLS / 2 || started >= 10 * RANDOM_KILLS);
  const lane = async () => {
    const subject = await Subject.create();
    subjects.push(subject);
    while (!isEnough()) {
      const victim = subject.start(++started);
      // The child has printed something, so the first change has begun.
      await subject.follow(victim, () => {
        setTimeout(() => victim.kill("SIGKILL"), Math.random() * LONGEST_LIFE_MS);
      });
      expect(subject.failure).toBe("");
      await subject.check();
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  kills += started;
  expect(changed()).toBeGreaterThan(RANDOM_KILLS / 2);
});

const layerFolder = mkdtempSync(join(tmpdir(), "sda-fault-"));
const layered = faultLayer(layerFolder) !== null;
const layer = faultLayerIn(layerFolder);
afterAll(() => rmSync(layerFolder, { recursive: true, force: true }));

const OPERATIONS = ["save", "convert", "add", "update", "relabel", "delete", "remove"];

/** Kinds of system calls, by the letters of fault_layer.c */
const ALL = "orcwslx";
const READS = "or";
const CHANGES = "cws";

describe.skipIf(!layered)("at each system call in turn", { timeout: 1_200_000 }, () => {
  let before: Subject;

  beforeAll(async () => {
    before = await Subject.create();
    expect(await before.follow(before.start(1, ["add", "save", "convert", "add"]))).toBe(true);
    await before.check();
  });

  const made = new Map<string, string[]>();

  /** The calls of these kinds that the operation makes in the folder, in order. */
  async function callsOf(operation: string, kinds: string): Promise<string[]> {
    const known = made.get(operation) ?? (await callsInFolder(operation));
    made.set(operation, known);
    return known.filter((call) => kinds.includes(call.charAt(0)));
  }

  async function callsInFolder(operation: string): Promise<string[]> {
    const log = join(dirname(layer), "calls.log");
    rmSync(log, { force: true });
    const subject = before.copy();
    const started = subject.start(2, [operation], {
      SDA_FAULT_KINDS: ALL,
      SDA_FAULT_LOG: log,
    });
    expect(await subject.follow(started)).toBe(true);
    return readFileSync(log, "utf8").trimEnd().split("\n");
  }

  interface Outcome {
    /** The call with the fault */
    call: string;
    /** Whether it was the last call */
    isLast: boolean;
    killed: boolean;
    ended: boolean;
    failure: string;
  }

  /** Does the operation once for each of the chosen calls of these kinds, with the fault there. */
  async function atEach(operation: string, kinds: string, fault: string): Promise<Outcome[]> {
    const chosen = choose(await callsOf(operation, kinds), fault.endsWith("+"));
    const outcomes: Outcome[] = [];
    const lane = async () => {
      for (let nth = chosen.shift(); nth !== undefined; nth = chosen.shift()) {
        const subject = before.copy();
        const log = `${subject.folder}.log`;
        const started = subject.start(nth + 100, [operation], {
          SDA_FAULT_KINDS: kinds,
          SDA_FAULT_AT: String(nth),
          SDA_FAULT: fault,
          SDA_FAULT_LOG: log,
        });
        const ended = await subject.follow(started);
        const killed = started.signalCode === "SIGKILL";
        // If all later calls fail too, the file written before the fault cannot be removed.
        await subject.check({ rejected: !ended && !killed, mayLeaveFile: fault.endsWith("+") });
        const { failure } = subject;
        const calls = readFileSync(log, "utf8").trimEnd().split("\n");
        const call = calls[nth - 1] ?? "";
        outcomes.push({ call, isLast: calls.length === nth, killed, ended, failure });
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    return outcomes;
  }

  test("the layer sees what changes the folder", async () => {
    const saved = await callsOf("save", ALL);
    for (const name of ["flock", "fsync", "renameat2", "fchmod", "close"]) {
      expect(saved.map((line) => line.split(" ")[1])).toContain(name);
    }
    expect(saved.filter((line) => line.startsWith("w ")).length).toBeGreaterThan(5);
    const deleted = await callsOf("delete", ALL);
    for (const name of ["mkdir", "rename", "unlink", "rmdir"]) {
      expect(deleted.map((line) => line.split(" ")[1])).toContain(name);
    }
  });

  test("what a power failure must not lose is synced before it is relied on", async () => {
    for (const operation of OPERATIONS) {
      // Only writes (w), syncs (s) and renames (c): w+scs for the model's file, then the same for
      // the index, then a rename for the index's backup.
      const calls = (await callsOf(operation, CHANGES)).filter((call) =>
        /^[ws] |rename/.test(call),
      );
      const order = calls.map((call) => call[0]).join("");
      // A deletion hides the file first. Then it writes and syncs an index without the model.
      const index = "w+scsc";
      const model = `^w+scs${index}$`;
      // An update writes the new file under a pending name. The index commits the change, and the
      // new file then replaces the old one. Labels are not in the index, so it is not written.
      const orders: Record<string, string> = {
        save: model,
        convert: model,
        delete: `^c${index}$`,
        update: `^w+scscs${index}cs$`,
        relabel: "^w+scscs$",
      };
      expect(order).toMatch(new RegExp(orders[operation] ?? `^${index}$`));
    }
  });

  test("conversions and updates leave the weights to the kernel", async () => {
    const names = async (operation: string) =>
      (await callsOf(operation, "w")).map((call) => call.split(" ")[1]);
    for (const operation of ["convert", "update", "relabel"]) {
      expect(await names(operation)).toContain("copy_file_range");
    }
    expect(await names("save")).not.toContain("copy_file_range");
  });

  for (const operation of OPERATIONS) {
    test(`killed before: ${operation}`, async () => {
      const outcomes = await atEach(operation, ALL, "kill");
      const killed = outcomes.filter((outcome) => outcome.killed).length;
      kills += killed;
      // Threads may need one call less in another run.
      expect(killed).toBeGreaterThan(outcomes.length * 0.9);
      for (const { failure } of outcomes) expect(failure).toBe("");
    });

    test(`killed in the middle of a write: ${operation}`, async () => {
      const outcomes = await atEach(operation, "w", "tear");
      const killed = outcomes.filter((outcome) => outcome.killed).length;
      kills += killed;
      expect(killed).toBeGreaterThan(outcomes.length * 0.9);
    });
  }

  const { ENOSPC, EIO } = constants.errno;
  const FAULTS: [name: string, kinds: string, fault: string][] = [
    ["the disk is full from there on", "cw", `${ENOSPC}+`],
    ["the disk is full for a moment", "cw", `${ENOSPC}`],
    ["writing fails", CHANGES, `${EIO}`],
    ["writing fails from there on", CHANGES, `${EIO}+`],
    ["reading fails", READS, `${EIO}`],
  ];
  for (const [name, kinds, fault] of FAULTS) {
    for (const operation of OPERATIONS) {
      test(`${name}: ${operation}`, async () => {
        const outcomes = await atEach(operation, kinds, fault);
        const failures = outcomes.filter(({ ended }) => !ended);
        expect(failures.length).toBeGreaterThan(0);
        for (const { killed, failure } of failures) {
          expect(killed).toBe(false);
          expect(failure).toMatch(/^ERR_SDA_IO /);
        }
        // The operation may succeed despite the fault at these calls only. `check` has seen that
        // the change was then made.
        const others = outcomes
          .filter(({ ended, call }) => ended && !isTolerable(call, fault.endsWith("+")))
          .filter((outcome) => !isAfterUpdate(outcome, operation))
          .map(({ call }) => call);
        expect(others).toEqual([]);
      });
    }
  }
});

/**
 * The positions, from 1, of the calls to try a fault at: all, or evenly spaced ones. Those at which
 * the change must fail come before those that it can do without.
 */
function choose(calls: string[], allFollowing: boolean): number[] {
  const all = calls.map((_, i) => i + 1);
  if (all.length <= CALLS) return all;
  const decisive = all.filter((nth) => !isTolerable(calls[nth - 1] ?? "", allFollowing));
  const from = decisive.length >= CALLS ? decisive : all;
  return Array.from(
    { length: CALLS },
    (_, i) => from[Math.floor(((i + 0.5) * from.length) / CALLS)] ?? 1,
  );
}

/** Whether a change succeeds for good although this call, or this and all later ones, fail. */
function isTolerable(call: string, allFollowing: boolean): boolean {
  return [
    /^[or] /, // the read is optional, or another one replaces it
    /^w copy_file_range/, // falls back to write
    /^c (unlink|rmdir)/, // the next opening or repair removes what is left
    /^c mkdir library-/, // the models folder is there already
    /^c rename model_library\.json\.bak$/, // the previous backup stays
    // The sync of the folder after the index was replaced, when undoing that fails too
    ...(allFollowing ? [/^s fsync/, /^s fdatasync/] : []),
  ].some((pattern) => pattern.test(call));
}

/**
 * Whether the call comes after the commit of the update. If the call fails, the next opening puts
 * the file in place, or a power failure may undo the replacement.
 */
function isAfterUpdate({ call, isLast }: { call: string; isLast: boolean }, operation: string) {
  const places = operation === "update" && /^c rename crash_\d(_\d+)?\.sda$/.test(call);
  const syncs = /^(update|relabel)$/.test(operation) && isLast && call === "s fsync";
  return places || syncs;
}

test.skipIf(!layered)(`more than ${KILLS_IN_ALL} processes were killed in all`, () => {
  console.log(`${kills} processes killed`);
  expect(kills).toBeGreaterThanOrEqual(KILLS_IN_ALL);
});
