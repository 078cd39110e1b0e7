import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type GenerationResult, writeSidecar, writeWav } from "../../lib/index.js";
import { sdaError } from "../support/errors.js";
import { temporaryFolder } from "../support/folder.js";

const result: GenerationResult = {
  audio: [new Float32Array(480), new Float32Array(480)],
  sampleRate: 44100,
  channels: 2,
  durationS: 480 / 44100,
  seed: 42,
  quality: {
    snrDb: Number.POSITIVE_INFINITY,
    clipping: {
      clippedSamples: 1,
      clippedPercentage: 0.1,
      peakValue: 1,
      maxConsecutiveClipped: 1,
      hasClipping: true,
    },
    rating: "yellow",
    ratingReason: "Fair quality",
  },
};
// biome-ignore lint/suspicious/noExplicitAny: the tests read only some fields
const model = { metadata: { modelId: "id-1", name: "Kitchen" } } as any;

describe("the sidecar", () => {
  it("tells how to make the sound again, with every default filled in", async () => {
    const wav = join(temporaryFolder(), "kitchen_42.wav");
    await writeWav(wav, result);
    const options = {
      sliders: [1, -2],
      durationS: 2,
      sampleRate: 44100 as const,
      spatial: { mode: "stereo" as const, width: 0.7 },
    };
    const path = await writeSidecar(wav, result, model, { options, bitDepth: 16 });
    expect(path).toBe(wav.replace(/wav$/, "json"));
    expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({
      file: "kitchen_42.wav",
      model: { model_id: "id-1", name: "Kitchen" },
      seed: 42,
      config: {
        duration_s: 2,
        concat_mode: "crossfade",
        steps_between: 10,
        overlap_samples: 2400,
        joint: "python",
        loudness: "peak",
        sliders: [1, -2],
        latent_vector: null,
        spatial: { mode: "stereo", width: 0.7, depth: 0.3 },
        sample_rate: 44100,
        bit_depth: 16,
      },
      audio: { sample_rate: 44100, channels: 2, duration_s: 480 / 44100 },
      quality: {
        snr_db: null,
        rating: "yellow",
        rating_reason: "Fair quality",
        clipping: {
          clipped_samples: 1,
          clipped_percentage: 0.1,
          peak_value: 1,
          max_consecutive_clipped: 1,
          has_clipping: true,
        },
      },
    });
  });

  it("has a latent's values", async () => {
    const wav = join(temporaryFolder(), "a.wav");
    const options = { latent: Float32Array.of(0.5, -1) };
    const path = await writeSidecar(wav, result, model, { options });
    expect(JSON.parse(readFileSync(path, "utf8")).config.latent_vector).toEqual([0.5, -1]);
  });

  it("is refused where there is no folder, and leaves nothing", async () => {
    const folder = temporaryFolder();
    const error = await sdaError(() => writeSidecar(join(folder, "none", "a.wav"), result, model));
    expect(error.code).toBe("ERR_SDA_NOT_FOUND");
    expect(readdirSync(folder)).toEqual([]);
  });
});
