/** Values are made in pieces, between which the event loop goes on. */
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { checkpointAddon } from "../../lib/native/load.js";
import { readInPieces, readNow } from "../../lib/native/read-values.js";
import type { ValueProgram } from "../../lib/native/types.js";
import { save } from "../../lib/torch/index.js";
import { ProgramReader } from "../../lib/values/program.js";
import { temporaryFolder } from "../support/folder.js";
import { turnsDuring } from "../support/turns.js";

// More than one text, some of them not ASCII.
const words = new Map(
  Array.from({ length: 300_000 }, (_, i) => [`word ${i} ${i % 3 ? "" : "é"}`, i]),
);
const OPTIONS = { unknownGlobals: "reject" } as const;
let path: string;

beforeAll(async () => {
  path = join(temporaryFolder(), "vocabulary.pt");
  await save(words, path);
});

it("the event loop turns while a large vocabulary is made", async () => {
  const addon = checkpointAddon();
  const program = await addon.read(path, OPTIONS);
  let made: unknown;
  const turns = await turnsDuring(async () => {
    made = await readInPieces(addon, program, undefined);
  });
  expect(turns).toBeGreaterThanOrEqual(2);
  expect(made).toEqual(words);
});

it("the same values are made at once", async () => {
  const addon = checkpointAddon();
  expect(readNow(addon, await addon.read(path, OPTIONS))).toEqual(words);
});

it("an aborted signal ends it between two pieces", async () => {
  const addon = checkpointAddon();
  const program = await addon.read(path, OPTIONS);
  const controller = new AbortController();
  const reason = new Error("enough");
  setImmediate(() => controller.abort(reason));
  await expect(readInPieces(addon, program, controller.signal)).rejects.toBe(reason);
});

it("a reader makes no more values than it is told, wherever they are", async () => {
  const program: ValueProgram = await checkpointAddon().read(path, OPTIONS);
  const addon = checkpointAddon();
  const reader = new ProgramReader(program.code, {
    text: (index) => addon.programText(program.handle, index),
    buffer: (index) => addon.programBuffer(program.handle, index),
  });
  let runs = 1;
  while (!reader.run(1000)) runs++;
  expect(runs).toBeGreaterThan(600);
  expect(reader.result).toEqual(words);
});
