/** File systems that can't sync, and disks that fail to. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ModelLibrary } from "../../lib/index.js";
import { failing, faultLayer } from "../support/fault-layer.js";
import { fixture } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import { runScript } from "../support/script.js";

const [EIO, EINVAL, ENOSYS, ENOTSUP] = [5, 22, 38, 95];
const SOURCE = fixture("models/tiny.sda");

let layer: string | null = null;
beforeAll(() => {
  layer = faultLayer(temporaryFolder());
});
let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

const WRITERS = {
  import: `library.import(${JSON.stringify(SOURCE)}, { metadata: { name: "First" } })`,
  update: 'library.update(library.listAll()[0].modelId, { name: "Second" })',
  delete: "library.delete(library.listAll()[0].modelId)",
  save: 'save({ n: 1 }, join(folder, "a.pt"))',
  writeWav: 'writeWav(join(folder, "a.wav"), { audio: [new Float32Array(9)], sampleRate: 48_000 })',
};

/** Runs writers where each sync in the folder fails. @returns "done" or the code of each error */
function outcomes(layer: string, errno: number, writers: (keyof typeof WRITERS)[]): string[] {
  const lines = writers.map((name) => `await run(() => ${WRITERS[name]});`).join("\n");
  const script = `
    const { ModelLibrary, writeWav } = await import(LIB);
    const { save } = await import(LIB.replace("index.js", "torch/index.js"));
    const { join } = await import("node:path");
    const folder = ${JSON.stringify(folder)};
    const library = await ModelLibrary.open(folder);
    const run = async (write) => console.log(await write().then(() => "done", (e) => e.code));
    ${lines}`;
  return runScript(script, { env: failing(layer, folder, "s", errno) }).split("\n");
}

describe("a file system that can't sync", () => {
  it.each([
    ["EINVAL", EINVAL],
    ["ENOSYS", ENOSYS],
    ["ENOTSUP", ENOTSUP],
  ])("is written to all the same: %s", async (_, errno) => {
    if (layer === null) return;
    const all = Object.keys(WRITERS) as (keyof typeof WRITERS)[];
    expect(outcomes(layer, errno, ["import", "update"])).toEqual(["done", "done"]);
    const library = await ModelLibrary.open(folder);
    expect(library.listAll().map(({ name }) => name)).toEqual(["Second"]);
    expect(outcomes(layer, errno, all.slice(2))).toEqual(["done", "done", "done"]);
    expect((await ModelLibrary.open(folder)).count()).toBe(0);
    expect(existsSync(join(folder, "a.pt")) && existsSync(join(folder, "a.wav"))).toBe(true);
  });
});

it("a disk that fails to sync is an error of each writer, and nothing is left", () => {
  if (layer === null) return;
  const codes = outcomes(layer, EIO, ["import", "save", "writeWav"]);
  expect(codes).toEqual(["ERR_SDA_IO", "ERR_SDA_IO", "ERR_SDA_IO"]);
  expect(readdirSync(folder).filter((name) => !name.startsWith(".model_library"))).toEqual([]);
});
