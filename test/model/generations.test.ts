/** Files of every version of the program, against values of its own code or of PyTorch. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LoadedModel, loadModel, readMetadata, Tensor, verifyFile } from "../../lib/index.js";
import {
  difference,
  distill,
  expectSound,
  Golden,
  goldenFolders,
  griffinLimLeast,
  optionsOf,
} from "../support/corpus-distill.js";
import { engineBuilt } from "../support/native.js";
import { relativeDifference } from "../support/sound.js";

const MEL = 1e-4;
const HIFI_GAN = 80;
const COMPLEX = 55;

function opened(golden: Golden): () => LoadedModel {
  let model: LoadedModel;
  beforeAll(async () => {
    model = await loadModel(golden.modelPath);
  });
  afterAll(() => model.dispose());
  return () => model;
}

function leastOf(golden: Golden, file: string, kind: "griffin_lim" | "hifi_gan" | "complex") {
  const values = golden.values(file);
  if (kind === "hifi_gan") return HIFI_GAN;
  if (kind === "griffin_lim") return griffinLimLeast(values);
  return Math.max(COMPLEX, (values.sensitivity?.snr_db ?? 0) - 25);
}

const VAES = [
  ["rename", "distill-1", "griffin_lim"],
  ["main", "distill-2", "griffin_lim"],
  ["gan", "distillgan", "griffin_lim"],
  ["voc", "distillgan", "hifi_gan"],
  ["ckpt", "distillgan", "hifi_gan"],
  ["cs", "distill-complex", "complex"],
] as const;

describe.each(goldenFolders)("%s", (_, root) => {
  describe.skipIf(root === null || !engineBuilt)("values", () => {
    describe.each(VAES)("golden/%s, a %s file", (name, generation, kind) => {
      const golden = new Golden(name, root);
      const { json } = golden;
      const model = opened(golden);
      const has = (file: string) => golden.has(file);
      const melShape = () => [name === "cs" ? 2 : 1, ...golden.melShape];

      it("is told by its content", async () => {
        const metadata = await readMetadata(golden.modelPath);
        expect(metadata.generation).toBe(generation);
        expect(metadata.modelId).toBe(json.metadata.model_id);
        expect(model().generation).toBe(generation);
        expect(model().vae.latentDim).toBe(json.latent_dim);
        expect(model().vocoder === null).toBe(json.vocoder_state === undefined);
        expect((await verifyFile(golden.modelPath)).ok).toBe(true);
      });

      it("has the weights' bytes", () => {
        for (const [key, tensor] of model().vae.stateDict()) {
          const { dtype, shape, sha256 } = json.state_dict[key];
          const { data } = tensor;
          const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
          expect([tensor.dtype, tensor.shape], key).toEqual([dtype, shape]);
          expect(createHash("sha256").update(bytes).digest("hex"), key).toBe(sha256);
        }
        expect(model().vae.stateDict().size).toBe(Object.keys(json.state_dict).length);
      });

      it("decodes", async () => {
        const z = golden.tensor("decode_z.f32");
        const expected = golden.values("decode_mel.f32");
        const each = expected.floats.length / (expected.shape[0] as number);
        const mel = await model().vae.decode(z);
        expect(mel.shape).toEqual([z.shape[0], ...melShape()]);
        const found = (mel.data as Float32Array).subarray(0, expected.floats.length);
        expect(each * (z.shape[0] as number)).toBe(mel.data.length);
        expect(difference(found, expected.floats)).toBeLessThan(MEL);
      });

      it.runIf(has("encode_mu.f32"))("encodes", async () => {
        const file = name === "cs" ? "encode_in.f32" : "encode_in_mel.f32";
        const mel = golden.tensor(file, [1, ...melShape()]);
        const { mu, logvar } = await model().vae.encode(mel);
        const [m, v] = [mu.data, logvar.data] as Float32Array[];
        expect(difference(m as Float32Array, golden.values("encode_mu.f32").floats)).toBeLessThan(
          MEL,
        );
        expect(
          difference(v as Float32Array, golden.values("encode_logvar.f32").floats),
        ).toBeLessThan(MEL);
      });

      it.runIf(has("mel_to_wave.f32"))("turns a mel into sound", async () => {
        const values = golden.values("mel_to_wave.f32");
        const all = golden.values("decode_mel.f32");
        const shape = [1, ...melShape()];
        const size = shape.reduce((a, b) => a * b, 1);
        const mel = new Tensor("float32", shape, all.floats.slice(0, size));
        const seed = values.seed ?? 0;
        const wave = await model().spectrogram.melToWaveform(mel, { seed });
        expectSound([wave.data as Float32Array], values, leastOf(golden, "mel_to_wave.f32", kind));
      });

      it.runIf(has("vocoder_negative_in.f32"))("takes negative mels", async () => {
        const mel = golden.tensor("vocoder_negative_in.f32", [
          1,
          1,
          ...(json.files["vocoder_negative_in.f32"].shape as number[]),
        ]);
        const wave = await model().spectrogram.melToWaveform(mel);
        const values = golden.values("vocoder_negative_out.f32");
        expectSound([wave.data as Float32Array], values, HIFI_GAN);
      });

      const cases = (json.cases as { name: string }[]).map((c) => [c.name, c] as const);

      // biome-ignore lint/suspicious/noExplicitAny: the corpus's README describes the cases
      it.for(cases as [string, any][])("makes the sound of %s", async ([, c]) => {
        if (c.file === undefined) return; // only its mel can be had: BigVGAN made the sound
        const sound = await model().generate(optionsOf(c.config));
        const values = golden.values(c.file);
        expectSound(sound.audio, values, leastOf(golden, c.file, kind));
        const { result } = c;
        expect(sound.sampleRate).toBe(result.sample_rate);
        expect(sound.durationS).toBeCloseTo(result.duration_s, 9);
        expect(sound.quality.rating).toBe(result.quality.rating);
        expect(sound.quality.clipping.clippedSamples).toBe(result.quality.clipping.clipped_samples);
        if (result.quality.snr_db !== "inf") {
          expect(Math.abs(sound.quality.snrDb - result.quality.snr_db)).toBeLessThan(0.1);
        }
      });

      it.runIf(json.slider_latents?.length > 0)("turns sliders into latents", () => {
        const latents = json.slider_latents as { positions: number[]; latent: number[] }[];
        for (const { positions, latent } of latents) {
          const found = model().slidersToLatent(positions);
          expect(relativeDifference(found, Float32Array.from(latent))).toBeLessThan(1e-5);
        }
        expect(
          model()
            .sliders()
            .map(({ label, minStep, maxStep }) => [label, minStep, maxStep]),
        ).toEqual(
          // biome-ignore lint/suspicious/noExplicitAny: the corpus's README describes the sliders
          json.sliders.map((s: any) => [s.label, s.min_step, s.max_step]),
        );
      });
    });

    describe("golden/vq", () => {
      const golden = new Golden("vq", root);
      const model = opened(golden);

      it("encodes a mel to codes, and decodes codes", async () => {
        const vq = model().vq as NonNullable<LoadedModel["vq"]>;
        const mel = golden.tensor("encode_in_mel.f32", [1, 1, ...golden.melShape]);
        expect(await vq.encode(mel)).toEqual(golden.codes("encode_codes.i32"));
        const codes = golden.codes("decode_codes.i32");
        const expected = golden.values("decode_mel.f32").floats;
        const count = codes.length / 2;
        const size = expected.length / 2;
        for (const i of [0, 1]) {
          const { data, shape } = await vq.decode(codes.slice(count * i, count * (i + 1)));
          expect(shape).toEqual([1, 1, ...golden.melShape]);
          const wanted = expected.subarray(size * i, size * (i + 1));
          expect(difference(data as Float32Array, wanted)).toBeLessThan(MEL);
        }
      });

      it("makes sound of codes", async () => {
        const vq = model().vq as NonNullable<LoadedModel["vq"]>;
        const sound = async (codes: Int32Array, seed: number) => {
          const mel = await vq.decode(codes);
          return (await model().spectrogram.melToWaveform(mel, { seed })).data as Float32Array;
        };
        const whole = golden.values("decode_wave.f32");
        const both = golden.codes("decode_codes.i32");
        const first = both.slice(0, both.length / 2);
        expectSound([await sound(first, whole.seed as number)], whole, griffinLimLeast(whole));
        const preview = golden.values("preview_code.f32");
        const single = new Int32Array(first.length);
        for (let i = 1; i < single.length; i += vq.levels) single[i] = 5;
        expectSound(
          [await sound(single, preview.seed as number)],
          preview,
          griffinLimLeast(preview),
        );
      });

      it("cannot make sound by itself without a prior", async () => {
        expect(model().vq?.hasPrior).toBe(false);
        await expect(model().generate({ durationS: 1 })).rejects.toMatchObject({
          code: "ERR_SDA_ARGUMENT",
          details: { option: "prior" },
        });
      });
    });

    describe("golden/vq_prior", () => {
      const golden = new Golden("vq_prior", root);
      const { json } = golden;
      const model = opened(golden);
      const vq = () => model().vq as NonNullable<LoadedModel["vq"]>;

      it("has the prior's logits", async () => {
        const logits = await vq().logits(golden.codes("logits_codes.i32"));
        const expected = golden.values("logits.f32");
        expect(logits.shape).toEqual(expected.shape);
        expect(difference(logits.data as Float32Array, expected.floats)).toBeLessThan(MEL);
      });

      it("draws the program's codes, token for token", async () => {
        expect(json.samples.length).toBeGreaterThan(0);
        for (const { seed, temperature, top_k: topK, top_p: topP, codes } of json.samples) {
          const found = await vq().sample({ seed, temperature, topK, topP });
          expect(Array.from(found)).toEqual(codes);
        }
      });

      // biome-ignore lint/suspicious/noExplicitAny: the corpus's README describes the cases
      it.for((json.cases as any[]).map((c) => [c.name, c] as const))("makes %s", async ([, c]) => {
        const sound = await model().generate(optionsOf(c.config));
        const values = golden.values(c.file);
        expectSound(sound.audio, values, griffinLimLeast(values));
        expect(sound.audio[0]).toHaveLength(c.samples);
      });
    });

    it("a cancelled training in the file is not read", async () => {
      const model = await loadModel(new Golden("ckpt", root).modelPath);
      // In the program's file, the training's state alone has over a gigabyte in expanded tensors.
      expect(model.byteLength).toBeLessThan(32 * 2 ** 20);
      expect(model.vocoder).toMatchObject({ type: "hifigan_v2", epochs: 5 });
      model.dispose();
    });
  });
});

describe.skipIf(distill === null || !engineBuilt)("a complex model of the program", () => {
  const golden = new Golden("cs", distill);
  const model = opened(golden);

  it("analyses a sound as the program did, as far as the corpus has the sound", async () => {
    const { floats } = golden.values("analysis_in_wave_first_4096.f32");
    const waveform = new Tensor("float32", [1, 1, floats.length], floats);
    const mel = await model().spectrogram.waveformToMel(waveform);
    expect(mel.shape).toEqual([1, 2, 128, 9]);
    const expected = golden.values("encode_in.f32").floats;
    const [a, b]: number[][] = [[], []];
    // Later frames reach past the end of this part of the sound.
    for (let row = 0; row < 256; row++) {
      for (let t = 0; t < 6; t++) {
        a?.push(mel.data[row * 9 + t] as number);
        b?.push(expected[row * 94 + t] as number);
      }
    }
    expect(difference(a as number[], b as number[])).toBeLessThan(1e-3);
  });
});
