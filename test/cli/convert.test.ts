import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { run } from "../../lib/cli/program.js";
import { readMetadata } from "../../lib/index.js";
import { load, loadSafetensors } from "../../lib/torch/index.js";
import { distill, distillFile } from "../support/corpus-distill.js";
import { fixture } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import { keepingIo } from "../support/io.js";

const models = (name: string) => distillFile("models", name);

describe.skipIf(distill === null)("sda convert", () => {
  async function sda(folder: string, ...args: string[]) {
    const { io, kept } = keepingIo();
    return { code: await run(["convert", ...args, "--models-dir", folder], io), ...kept };
  }

  it("adds a model of the other kind to the library, by path and then by name", async () => {
    const folder = temporaryFolder();
    const from = models("copper_rain.distill");
    const first = await sda(folder, from, "--to", "distillgan", "--json");
    expect(first.code).toBe(0);
    const { path, metadata } = JSON.parse(first.stdout);
    expect(metadata).toEqual(await readMetadata(path));
    expect(metadata.generation).toBe("distillgan");
    const donor = models("singing_wires.distillgan");
    const sung = ["Copper", "--to", "distillgan", "--vocoder-from", donor, "--json"];
    const second = await sda(folder, ...sung);
    expect(JSON.parse(second.stdout).metadata.vocoder.type).toBe("hifigan_v2");
    const third = await sda(folder, path, "--to", "distill");
    expect([third.code, third.stdout]).toEqual([0, ""]);
    expect(third.stderr).toContain("copper_rain.distill: Copper Rain");
  });

  it("says why it refuses, and leaves nothing behind", async () => {
    const folder = temporaryFolder();
    const { code, stderr } = await sda(
      folder,
      models("tide_pool_early.distill"),
      "--to",
      "distillgan",
    );
    expect([code, stderr]).toEqual([2, expect.stringContaining("it would sound wrong")]);
    expect((await sda(folder, models("copper_rain.distill"))).code).toBe(2);
    expect((await sda(folder, "nobody", "--to", "sda")).code).toBe(2);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("sda convert with two paths", () => {
  const from = fixture("models/tiny.sda");
  async function sda(...args: string[]) {
    const { io, kept } = keepingIo();
    return { code: await run(["convert", ...args], io), ...kept };
  }

  it("converts torch files and safetensors files", async () => {
    const folder = temporaryFolder();
    const [st, pt] = [join(folder, "a.safetensors"), join(folder, "a.pt")];
    const texts = ["--metadata", "author=me=you", "--metadata", "note="];
    const first = await sda(from, st, "--key", "model_state_dict", ...texts);
    expect([first.code, first.stdout]).toEqual([0, ""]);
    expect(first.stderr).toMatch(/a\.safetensors: \d+ tensors, [\d.]+ [kM]B\n$/);
    const tensors = await loadSafetensors(st);
    const { metadata } = tensors;
    expect(metadata).toEqual({ format: "pt", author: "me=you", note: "" });
    const second = await sda(st, pt, "--json");
    expect([second.code, second.stderr]).toEqual([0, ""]);
    expect(JSON.parse(second.stdout)).toMatchObject({ path: pt, tensors: tensors.size });
    expect(await load(pt)).toEqual(new Map(tensors));
  });

  it.each([
    ["neither a path nor a kind", [from], "sda convert IN OUT"],
    ["a path and a kind", [from, "a.pt", "--to", "sda"], "--to can't be used with two paths"],
    ["a path and a vocoder", [from, "a.pt", "--vocoder-from", "x"], "--vocoder-from can't be"],
    ["a path and no vocoder", [from, "a.pt", "--no-vocoder"], "--no-vocoder can't be used"],
    ["a kind and a key", [from, "--to", "sda", "--key", "x"], "--key can't be used with --to"],
    ["a kind and metadata", [from, "--to", "sda", "--metadata", "a=b"], "--metadata can't be"],
    ["metadata without a name", [from, "a.safetensors", "--metadata", "b"], "NAME=TEXT"],
    ["another suffix", [from, "a.npz"], "a path that ends with .safetensors"],
    ["a file that is not there", ["nowhere.pt", "a.safetensors"], "ERR_SDA_NOT_FOUND"],
  ])("exits with 2 for %s", async (_, args, message) => {
    const { code, stdout, stderr } = await sda(...args);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(message);
  });

  it("shows both forms in the help", async () => {
    const { code, stdout } = await sda("--help");
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^Usage: sda convert \[options\] <in> <out>\n +sda convert .*--to <kind>/,
    );
    expect(stdout).toContain("sda convert model.pt model.safetensors");
  });
});
