/** `sda generate` with models of the later versions. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";
import { run } from "../../lib/cli/program.js";
import { readSidecar } from "../../lib/index.js";
import { distill, distillFile } from "../support/corpus-distill.js";
import { temporaryFolder } from "../support/folder.js";
import { keepingIo } from "../support/io.js";
import { engineBuilt } from "../support/native.js";

const model = (name: string) => distillFile("models", name);

describe.skipIf(distill === null || !engineBuilt)("sda generate", () => {
  let folder: string;
  beforeEach(() => {
    folder = temporaryFolder();
  });

  async function sda(...args: string[]) {
    const { io, kept } = keepingIo();
    const code = await run(["generate", ...args, "-o", folder, "-s", "7", "--json"], io);
    return { code, ...kept, files: code === 0 ? JSON.parse(kept.stdout).files : [] };
  }

  it("takes the rate of the model's program by default", async () => {
    const [gan] = (await sda(model("singing_wires.distillgan"))).files;
    expect([gan.sampleRate, gan.durationS]).toEqual([44100, 1]);
    const [early] = (await sda(model("tide_pool_early.distill"))).files;
    expect(early.sampleRate).toBe(48000);
    const [asked] = (await sda(model("singing_wires.distillgan"), "--sample-rate", "96000")).files;
    expect(asked.sampleRate).toBe(96000);
  });

  it("takes the options of the later versions, and notes them", async () => {
    const sliders = ["--slider", "0:2", "--evolution", "0.25"];
    const [file] = (await sda(model("copper_rain.distill"), "-d", "2", ...sliders)).files;
    const { options, evolution } = await readSidecar(file.sidecar);
    expect([options.evolution, evolution]).toEqual([0.25, 0.25]);
    const codes = ["--temperature", "0.7", "--top-k", "12", "--top-p", "0.95"];
    const [drawn] = (await sda(model("whispered_grid.distill"), ...codes)).files;
    expect((await readSidecar(drawn.sidecar)).options).toMatchObject({
      temperature: 0.7,
      topK: 12,
      topP: 0.95,
    });
    const plain = ["--vocoder", "griffin_lim"];
    const [lim] = (await sda(model("singing_wires.distillgan"), ...plain)).files;
    expect((await readSidecar(lim.sidecar)).options.vocoder).toBe("griffin_lim");
    const other = ["--vocoder", model("singing_wires.distillgan")];
    const sung = await sda(model("glass_harbour.distillgan"), ...other);
    expect(sung.code).toBe(0);
    const wide = ["--spatial-mode", "stereo", "--spatial-width", "1.2", "--spatial-depth", "0.6"];
    const [stereo] = (await sda(model("copper_rain.distill"), ...wide)).files;
    expect((await readSidecar(stereo.sidecar)).options.spatial).toEqual({
      mode: "stereo",
      width: 1.2,
      depth: 0.6,
    });
  });

  it("blends models", async () => {
    const parts = ["--blend", `${model("singing_wires.distillgan")}:40`, "--weight", "25"];
    const latent = await sda(model("glass_harbour.distillgan"), ...parts);
    expect(latent.code).toBe(0);
    const first = readFileSync(latent.files[0].path);
    const mode = ["--blend-mode", "audio"];
    const audio = await sda(model("glass_harbour.distillgan"), ...parts, ...mode);
    expect(readFileSync(audio.files[0].path).equals(first)).toBe(false);
  });

  it("refuses what a model or the program cannot do, and writes nothing", async () => {
    const refused = async (...args: string[]) => {
      const { code, stderr } = await sda(...args);
      expect(code).toBe(2);
      return stderr;
    };
    const rain = model("copper_rain.distill");
    expect(await refused(rain, "--temperature", "1")).toContain("temperature");
    expect(await refused(rain, "--vocoder", "bigvgan")).toContain("489 MB");
    expect(await refused(rain, "--vocoder", "model")).toContain("no vocoder");
    expect(await refused(rain, "--spatial-mode", "binaural")).toContain("SOFA");
    expect(await refused(rain, "--spatial-mode", "round")).toContain("choices");
    expect(await refused(rain, "--blend-mode", "audio")).toContain("--blend");
    expect(await refused(rain, "--blend", "nobody")).toContain("NAME:WEIGHT");
    expect(await refused(rain, "--blend", "nobody:5")).toContain("models folder");
    const codes = model("whispered_grid.distill");
    expect(await refused(codes, "--spatial-mode", "stereo")).toContain("spatial");
    expect(await refused(model("tide_pool_early.distill"), "--evolution", "1")).toContain("each");
    expect(existsSync(folder) ? readdirSync(folder) : []).toEqual([]);
  });
});
