import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { checkOptions } from "../../lib/base/check.js";
import * as sda from "../../lib/index.js";
import * as torch from "../../lib/torch/index.js";
import { sdaError } from "../support/errors.js";
import { fixture } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";

const TINY = fixture("models/tiny.sda");
const bad = (options: object) => options as never;

describe("checkOptions", () => {
  const known = ["durationS", "seed", "spatial", "sampleRate"];

  it.each([
    ["duration", "durationS"],
    ["duration_s", "durationS"],
    ["Seed", "seed"],
    ["samplerate", "sampleRate"],
    ["spacial", "spatial"],
  ])("%s: did you mean %s?", async (key, nearest) => {
    const error = await sdaError(() => checkOptions("options", { [key]: 1 }, known));
    expect(error.code).toBe("ERR_SDA_ARGUMENT");
    expect(error.details).toEqual({ option: key, nearest });
    expect(error.message).toContain(`did you mean ${nearest}?`);
  });

  it("lists the known names when none is near", async () => {
    const error = await sdaError(() => checkOptions("options", { banana: 1 }, known));
    expect(error.details).toEqual({ option: "banana" });
    expect(error.message).toContain("known options: durationS, seed, spatial, sampleRate");
  });

  it("answers quickly for a key of megabytes", async () => {
    const error = await sdaError(() => checkOptions("o", { ["x".repeat(5_000_000)]: 1 }, known));
    expect(error.message.length).toBeLessThan(600);
  });

  it.each([
    ["a string", "x"],
    ["null", null],
    ["an array", []],
  ])("refuses %s", async (_, value) => {
    const error = await sdaError(() => checkOptions("options", value, known));
    expect(error.code).toBe("ERR_SDA_ARGUMENT");
  });

  it("refuses a signal that is not one", async () => {
    const error = await sdaError(() => checkOptions("options", { signal: {} }, ["signal"]));
    expect(error.details?.["option"]).toBe("signal");
  });
});

describe("an unknown option is refused by", () => {
  let folder: string;
  beforeEach(() => {
    folder = temporaryFolder();
  });
  const library = () => sda.ModelLibrary.open(folder);
  const calls: Record<string, () => unknown> = {
    loadModel: () => sda.loadModel(TINY, bad({ devise: "cpu" })),
    verifyFile: () => sda.verifyFile(TINY, bad({ onprogres: () => {} })),
    describeModel: () => sda.describeModel(TINY, bad({ sigal: 1 })),
    importModel: () => sda.importModel(TINY, folder, bad({ name: "metadata of the old order" })),
    addModelFile: () => sda.addModelFile(TINY, folder, bad({ name: "x" })),
    saveModel: () =>
      sda.saveModel({ stateDict: new Map(), latentDim: 1 }, folder, bad({ meta: {} })),
    saveModelFromCheckpoint: () =>
      sda.saveModelFromCheckpoint(fixture("checkpoints/tiny.pt"), folder, bad({ metdata: {} })),
    updateModel: () => sda.updateModel("id", { name: "x" }, folder, bad({ timeout: 1 })),
    deleteModel: () => sda.deleteModel("id", folder, bad({ timeout: 1 })),
    "ModelLibrary.open": () => sda.ModelLibrary.open(folder, bad({ creat: true })),
    "ModelLibrary.import": async () => (await library()).import(TINY, bad({ metdata: {} })),
    "ModelLibrary.update": async () => (await library()).update("id", {}, bad({ timeout: 1 })),
    "ModelLibrary.delete": async () => (await library()).delete("id", bad({ timeout: 1 })),
    "ModelLibrary.remove": async () => (await library()).remove("id", bad({ timeout: 1 })),
    "ModelLibrary.addEntries": async () => (await library()).addEntries([], bad({ timeout: 1 })),
    "ModelLibrary.search": async () => (await library()).search(bad({ text: "x" })),
    "ModelLibrary.searchPage": async () => (await library()).searchPage(bad({ limitt: 1 })),
    "ModelLibrary.listAll": async () => (await library()).listAll(bad({ sort: "name" })),
    "ModelLibrary.repairIndex": async () => (await library()).repairIndex(bad({ onprog: 1 })),
    configureEngine: () => sda.configureEngine(bad({ thread: 1 })),
    "torch load": () => torch.load(TINY, bad({ weight: false })),
    "torch save": () => torch.save({}, join(folder, "x.pt"), bad({ protocol: 4 })),
    "torch inspect": () => torch.inspect(TINY, bad({ verify: true })),
  };

  it.each(Object.entries(calls))("%s", async (_, call) => {
    const { code, message } = await sdaError(async () => call());
    expect(code).toBe("ERR_SDA_ARGUMENT");
    expect(message).toMatch(/^unknown option /);
  });
});
