import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { METADATA_NAMES } from "../../lib/format/names.js";
import { readMetadata } from "../../lib/index.js";
import { corpus, corpusFile, golden } from "../support/corpus.js";
import { sdaError } from "../support/errors.js";
import { temporaryFolder } from "../support/folder.js";

describe.skipIf(corpus === null)("readMetadata of the corpus", () => {
  it.each([
    ["default", "default", {}],
    ["small", "small", {}],
    ["no-analysis", "no-analysis", {}],
    ["decoder-only", "decoder-only", {}],
    ["small-legacy", "small", {}],
    ["small-protocol4", "small", {}],
    ["small-half", "small", {}],
    ["small-cuda", "small", {}],
    ["small-mps", "small", {}],
    ["small-numpy1", "small", { dataset_total_duration_s: 12.5, final_val_loss: 0.25 }],
  ])("%s", async (file, name, changes) => {
    const { generation, vocoder, ...metadata } = await readMetadata(
      corpusFile("models", `${file}.sda`),
    );
    expect([generation, vocoder]).toEqual(["sda", null]);
    const inPython = Object.entries(metadata).map(([key, value]) => [
      METADATA_NAMES[key as keyof typeof METADATA_NAMES],
      value,
    ]);
    expect(Object.fromEntries(inPython)).toEqual({ ...golden(name).metadata, ...changes });
  });

  it("by a URL", async () => {
    const url = pathToFileURL(corpusFile("models", "small.sda"));
    expect((await readMetadata(url)).name).toBe("Small Pads");
  });

  it("refuses a training checkpoint, which is no model file", async () => {
    const path = corpusFile("checkpoints", "checkpoint_epoch0200.pt");
    const { code, details } = await sdaError(() => readMetadata(path));
    expect(code).toBe("ERR_SDA_FORMAT");
    expect(details?.["path"]).toBe(path);
  });

  it("refuses the first half of a file", async () => {
    const whole = readFileSync(corpusFile("models", "small.sda"));
    const path = join(temporaryFolder(), "half.sda");
    writeFileSync(path, whole.subarray(0, whole.length / 2));
    const { code } = await sdaError(() => readMetadata(path));
    expect(["ERR_SDA_CORRUPT", "ERR_SDA_FORMAT"]).toContain(code);
  });
});

describe("readMetadata", () => {
  it("of no file", async () => {
    const path = join(temporaryFolder(), "none.sda");
    const { code, details } = await sdaError(() => readMetadata(path));
    expect(code).toBe("ERR_SDA_NOT_FOUND");
    expect(details?.["path"]).toBe(path);
  });

  it.each([
    ["text", (path: string) => writeFileSync(path, "<html></html>")],
    ["nothing", (path: string) => writeFileSync(path, "")],
  ])("of %s", async (_, make) => {
    const path = join(temporaryFolder(), "a.sda");
    make(path);
    expect((await sdaError(() => readMetadata(path))).code).toBe("ERR_SDA_FORMAT");
  });

  it("of a folder", async () => {
    const path = join(temporaryFolder(), "a.sda");
    mkdirSync(path);
    expect(["ERR_SDA_IO", "ERR_SDA_FORMAT"]).toContain(
      (await sdaError(() => readMetadata(path))).code,
    );
  });

  it.each([undefined, null, 5, "", "a\0b", new URL("https://example.org/a.sda")])(
    "of %s, which is no path",
    async (path) => {
      const { code, details } = await sdaError(() => readMetadata(path as string));
      expect(code).toBe("ERR_SDA_ARGUMENT");
      expect(details?.["option"]).toBe("path");
    },
  );
});
