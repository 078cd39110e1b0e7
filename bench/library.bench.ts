/**
 * Measures the library's operations by number of entries and compares them with a plain Python
 * program (peers/library_peer.py). Each of our adds is synced to disk; the peer's adds are not.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ModelEntry, ModelLibrary } from "../lib/index.js";
import { entryText } from "../lib/library/index/entry.js";
import { type Goal, judged } from "./support/goals.js";
import { writeLargeModel } from "./support/large-file.js";
import { Peer } from "./support/python.js";
import { Rounds } from "./support/rounds.js";
import type { Measured, Ratio } from "./support/schema.js";
import { summarize } from "./support/statistics.js";
import type { Context, Suite } from "./support/suite.js";
import { temporaryFolder } from "./support/temporary.js";

const QUERY = "take 77";
const TOGETHER = 1000;
const FILE_BYTES = 4_000_000;
/** A small file, so that the library's share of an import shows. */
const SMALL_MODEL = fileURLToPath(new URL("../test/fixtures/models/tiny.sda", import.meta.url));
const IMPORT = "one file imported";
const ADD = "one entry added, by turns with imports";
const LIST = "sda model list, whole process";
const LIST_RUNS = 15;
const SDA = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

function entry(
  i: number,
  modelId = `${String(i).padStart(8, "0")}-0000-4000-9000-000000000000`,
): ModelEntry {
  return {
    modelId,
    name: `Model ${i}`,
    description: `warm pads from the attic, take ${i}`,
    filePath: `m${i}.sda`,
    fileSizeBytes: 12_600_000 + i,
    datasetName: "kitchen",
    datasetFileCount: i % 50,
    datasetTotalDurationS: 12.5,
    trainingDate: "2026-02-13T10:00:00+00:00",
    saveDate: `2026-02-14T00:45:30.${String((i * 7919) % 1_000_000).padStart(6, "0")}+00:00`,
    trainingEpochs: 200,
    finalTrainLoss: 0.1,
    finalValLoss: 0.25,
    hasAnalysis: true,
    nActiveComponents: 8,
    tags: ["drum", "lo-fi"],
    vocoder: null,
  };
}

function makeLibrary(work: string, count: number): string {
  const folder = mkdtempSync(join(work, "library-"));
  const texts = Array.from({ length: count }, (_, i) => entryText(entry(i)));
  writeFileSync(
    join(folder, "model_library.json"),
    `{\n  "version": 1,\n  "models": {\n    ${texts.join(",\n    ")}\n  }\n}`,
  );
  return folder;
}

/** Goals for the ratio to Python's time, by number of entries. */
const RATIO_GOALS: Record<string, Record<number, Goal>> = {
  open: { 10000: { atLeast: 4 } },
  search: { 10000: { atLeast: 10 } },
  "one durable add": { 10000: { atLeast: 15 }, 100000: { atLeast: 25 } },
};

/** Goals for our own time in milliseconds. */
const TIME_GOALS: Record<number, Record<string, Goal>> = {
  10000: { [LIST]: { atMost: 250 } },
  100000: { [`${TOGETHER} adds together`]: { atMost: 2000 } },
};

const PEERS: [ours: string, theirs: string][] = [
  ["open", "open"],
  ["search", "search"],
  ["one durable add", "add"],
];

async function measureSize(
  folder: string,
  count: number,
  { python, quick, say }: Context,
): Promise<Measured> {
  say(`${count} entries`);
  const library = await ModelLibrary.open(folder);
  const started = performance.now();
  library.search({ query: QUERY });
  const firstSearch = performance.now() - started;

  let next = count;
  const add = () => library.addEntry(entry(next, `new-${next++}`));
  const operations: Record<string, () => unknown> = {
    open: () => ModelLibrary.open(folder),
    search: () => library.search({ query: QUERY }),
    "refresh, nothing new": () => library.refresh(),
    "one durable add": add,
    [`${TOGETHER} adds together`]: () => Promise.all(Array.from({ length: TOGETHER }, add)),
  };
  const peer =
    python === null
      ? null
      : new Peer(python, "library_peer.py", [join(folder, "model_library.json"), QUERY]);
  const rounds = new Rounds(`, ${count} entries`);
  rounds.collect("first search", [firstSearch]);
  rounds.collect(
    LIST,
    Array.from({ length: quick ? 2 : LIST_RUNS }, () => timeList(folder)),
  );
  try {
    const peers = peer === null ? {} : (await peer.about()).versions;
    for (const [operation, work] of Object.entries(operations)) {
      const theirs = PEERS.filter(([ours]) => ours === operation).map(([, their]) => their);
      await rounds.run({ [operation]: work }, peer, theirs, {
        rounds: quick ? 2 : 7,
        runs: quick || count >= 50_000 ? 1 : 5, // the peer's add takes seconds in a large library
        warmUp: quick ? 0 : 100,
      });
    }
    const modelId = () => `imported-${next++}`;
    const imports = {
      [ADD]: add,
      [IMPORT]: () => library.import(SMALL_MODEL, { metadata: { modelId: modelId() } }),
    };
    await rounds.run(imports, null, [], { rounds: quick ? 2 : 15, runs: 1, warmUp: 0 });
    const { median: ratio, fastest } = rounds.compare(IMPORT, ADD);
    const importRatio: Ratio = {
      what: "an import beside an added entry",
      ours: `${ADD}, ${count} entries`,
      theirs: `${IMPORT}, ${count} entries`,
      ratio,
      fastest,
      ...judged(ratio, count === 100_000 ? { atMost: 1.5 } : undefined),
    };
    return {
      rows: rounds.rows(TIME_GOALS[count]),
      ratios: [
        ...PEERS.flatMap(([ours, theirs]) =>
          rounds.besidePeer(ours, theirs, RATIO_GOALS[ours]?.[count]),
        ),
        importRatio,
      ],
      notes: [],
      peers,
    };
  } finally {
    peer?.close();
  }
}

/** Milliseconds of the whole process, from the start of Node to its exit. */
function timeList(folder: string): number {
  const started = performance.now();
  const list = [SDA, "model", "list", "--models-dir", folder];
  const { status } = spawnSync(process.execPath, list, { stdio: "ignore" });
  if (status !== 0) throw new Error(`sda model list ended with ${status}`);
  return performance.now() - started;
}

/** Repairs a folder whose index lacks all of its files. Repair reads only their metadata. */
async function measureRepair(work: string, { quick, say }: Context): Promise<Measured["rows"]> {
  say("repair");
  const model = fileURLToPath(new URL("../assets/models/synthetic-plucks.sda", import.meta.url));
  const files = quick ? 50 : 1000;
  const times: number[] = [];
  for (let round = 0; round < (quick ? 1 : 7); round++) {
    const folder = mkdtempSync(join(work, "repair-"));
    const first = join(folder, "m0.sda");
    writeLargeModel(model, first, FILE_BYTES - statSync(model).size);
    for (let i = 1; i < files; i++) copyFileSync(first, join(folder, `m${i}.sda`));
    const library = await ModelLibrary.open(folder);
    const started = performance.now();
    const { added } = await library.repairIndex();
    times.push((performance.now() - started) / added);
    if (added !== files) throw new Error(`${added} files were added`);
    rmSync(folder, { recursive: true });
  }
  const summary = summarize(times);
  const name = `repair, per new file of ${FILE_BYTES / 1e6} MB`;
  return [{ name, unit: "ms", ...summary, ...judged(summary, { atMost: 1 }) }];
}

async function run(context: Context): Promise<Measured> {
  const work = temporaryFolder();
  try {
    const parts: Measured[] = [];
    for (const count of context.entries)
      parts.push(await measureSize(makeLibrary(work, count), count, context));
    const repair = await measureRepair(work, context);
    return {
      rows: [...parts.flatMap(({ rows }) => rows), ...repair],
      ratios: parts.flatMap(({ ratios }) => ratios),
      notes: context.notes,
      peers: parts[0]?.peers ?? {},
    };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

export const suite: Suite = { title: "The library, by number of entries", usesModel: false, run };
