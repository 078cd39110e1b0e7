/** Damaged, contradictory and mutated files of every version of the program. */
import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  describeModel,
  loadModel,
  readMetadata,
  SdaError,
  Tensor,
  verifyFile,
} from "../../lib/index.js";
import { load, NdArray, save } from "../../lib/torch/index.js";
import { count } from "../support/effort.js";
import { sdaError } from "../support/errors.js";
import { fixture, generationFixtures } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import { engineBuilt } from "../support/native.js";
import { xorshift } from "../support/xorshift.js";

type Dict = Map<unknown, unknown>;

/** A refusal takes no longer than this, whatever a file claims. */
const QUICK_MS = 2000;

const EARLY = "models/tiny-early.distill";
const MAIN = "models/tiny.distill";
const GAN = "models/tiny.distillgan";
const VOCODER = "models/tiny-vocoder.distillgan";
const CANCELLED = "models/tiny-cancelled.distillgan";
const COMPLEX = "models/tiny-complex.distill";
const CODES = "models/tiny-vq.distill";
const PRIOR = "models/tiny-prior.distill";

const dictAt = (content: Dict, ...keys: string[]) =>
  keys.reduce((dict, key) => dict.get(key) as Dict, content);

/** A copy of a fixture with other content. */
async function changed(name: string, change: (content: Dict) => void): Promise<string> {
  const content = (await load(fixture(name))) as Dict;
  change(content);
  const path = join(temporaryFolder(), basename(name));
  await save(content, path);
  return path;
}

/** Sets the value at a path of keys, such as "vocoder_state.config.hop_size". */
function set(field: string, value: unknown): (content: Dict) => void {
  return (content) => {
    const keys = field.split(".");
    dictAt(content, ...keys.slice(0, -1)).set(keys.at(-1), value);
  };
}

function remove(field: string): (content: Dict) => void {
  return (content) => {
    const keys = field.split(".");
    dictAt(content, ...keys.slice(0, -1)).delete(keys.at(-1));
  };
}

/** The refusal by `loadModel`, which must be quick. */
async function refusal(path: string): Promise<SdaError> {
  const start = performance.now();
  const error = await sdaError(async () => (await loadModel(path, { device: "cpu" })).dispose());
  expect(performance.now() - start).toBeLessThan(QUICK_MS);
  expect(error.message.length).toBeLessThan(2000);
  return error;
}

type Config = [string, string, (content: Dict) => void, string, string];

/** A wrong value of the field that `details` names. */
function wrong(what: string, file: string, field: string, value: unknown, code = "SCHEMA"): Config {
  return [what, file, set(field, value), code, field];
}

/** The field that `details` names is missing. */
function lacking(what: string, file: string, field: string, code = "SCHEMA"): Config {
  return [what, file, remove(field), code, field];
}

const HUGE = 2 ** 31 - 1;
const STATS = "normalization_stats";
const HIFI = "vocoder_state.config";
const RATES = `${HIFI}.upsample_rates`;
const KERNELS = `${HIFI}.upsample_kernel_sizes`;
const BLOCKS = `${HIFI}.resblock_kernel_sizes`;
const DILATIONS = `${HIFI}.resblock_dilation_sizes`;
const CHANNELS = `${HIFI}.upsample_initial_channel`;
const BOOK = "vqvae_config";

const CONFIGS: Config[] = [
  wrong("a latent_dim of 0", MAIN, "latent_dim", 0),
  wrong("a huge latent_dim", MAIN, "latent_dim", HUGE),
  wrong("a latent_dim of text", GAN, "latent_dim", "16"),
  wrong("another format", GAN, "format", "distill", "FORMAT"),
  wrong("a newer version", EARLY, "version", 2, "VERSION"),
  wrong("a newer version of v1.1's format", GAN, "version", 2, "VERSION"),
  wrong("codes of version 9", CODES, "version", 9, "VERSION"),
  wrong("a version below 0", CODES, "version", -1),
  wrong("a spectrogram that is no dict", COMPLEX, "spectrogram_config", 3),
  lacking("no spectrogram", CODES, "spectrogram_config"),
  wrong("mel bands beyond counting", CODES, "spectrogram_config.n_mels", HUGE),
  wrong("statistics with NaN", COMPLEX, `${STATS}.mag_std`, Number.NaN),
  wrong("infinite statistics", COMPLEX, `${STATS}.if_mean`, Number.POSITIVE_INFINITY),
  lacking("incomplete statistics", COMPLEX, `${STATS}.if_std`),
  wrong("statistics as a list", COMPLEX, STATS, [1, 2, 3, 4]),
  wrong("a vocoder that is no dict", VOCODER, "vocoder_state", [1]),
  wrong("another type of vocoder", VOCODER, "vocoder_state.type", "bigvgan"),
  lacking("no config of the vocoder", VOCODER, HIFI),
  wrong("the other residual blocks", VOCODER, `${HIFI}.resblock_type`, 2),
  wrong("rates that miss the hop", VOCODER, RATES, [8, 8, 4, 4]),
  wrong("rates of 0", VOCODER, RATES, [0, 8, 4, 2]),
  wrong("rates whose product overflows", VOCODER, RATES, [HUGE, HUGE, HUGE, HUGE]),
  wrong("no rates", VOCODER, RATES, []),
  wrong("rates of text", VOCODER, RATES, "8842"),
  wrong("fewer kernels than rates", VOCODER, KERNELS, [16, 16, 8]),
  wrong("a kernel narrower than its rate", VOCODER, KERNELS, [4, 16, 8, 4]),
  wrong("an odd kernel", VOCODER, KERNELS, [15, 16, 8, 4]),
  wrong("an even kernel in a block", VOCODER, BLOCKS, [3, 8, 11]),
  wrong("dilations for fewer blocks", VOCODER, DILATIONS, [[1, 3, 5]]),
  wrong("dilations that are numbers", VOCODER, DILATIONS, [1, 3, 5]),
  wrong("channels that cannot be halved", VOCODER, CHANNELS, 12),
  wrong("channels beyond counting", VOCODER, CHANNELS, 2 ** 52),
  wrong("a vocoder for other mels", VOCODER, `${HIFI}.num_mels`, 80),
  wrong("a vocoder for another hop", CANCELLED, `${HIFI}.hop_size`, 256),
  wrong("a vocoder for another rate", CANCELLED, `${HIFI}.sample_rate`, 44100),
  wrong("epochs of text", VOCODER, "vocoder_state.training_metadata.epochs", "many"),
  lacking("no config of the codes", CODES, BOOK),
  wrong("a config of codes that is no dict", CODES, BOOK, null),
  wrong("no codes", CODES, `${BOOK}.codebook_size`, 0),
  wrong("codes beyond counting", CODES, `${BOOK}.codebook_size`, 2 ** 52),
  wrong("vectors beyond counting", CODES, `${BOOK}.codebook_dim`, 2 ** 52),
  wrong("levels beyond counting", CODES, `${BOOK}.num_quantizers`, 2 ** 40),
  wrong("half a level", CODES, `${BOOK}.num_quantizers`, 2.5),
  lacking("a prior without config", PRIOR, "prior_config"),
  wrong("has_prior of text", PRIOR, "has_prior", "yes"),
  wrong("heads that don't divide", PRIOR, "prior_config.num_heads", 3),
  wrong("no heads", PRIOR, "prior_config.num_heads", 0),
  wrong("layers beyond counting", PRIOR, "prior_config.num_layers", 2 ** 40),
  wrong("another length", PRIOR, "prior_config.seq_len", 144),
  wrong("a length beyond counting", PRIOR, "prior_config.seq_len", 2 ** 52),
  lacking("no hidden size", PRIOR, "prior_config.hidden_size"),
  [
    "another number of levels",
    PRIOR,
    set("prior_config.num_quantizers", 2),
    "SCHEMA",
    "prior_config.seq_len",
  ],
  lacking("a prior without weights", PRIOR, "prior_state_dict"),
  wrong("weights of a prior as a list", PRIOR, "prior_state_dict", []),
  lacking("no weights of the vocoder", VOCODER, "vocoder_state.generator_state_dict"),
];

describe.skipIf(!engineBuilt)("a config that cannot be", () => {
  it.each(CONFIGS)("%s", async (_, name, change, code, field) => {
    const error = await refusal(await changed(name, change));
    expect([error.code, error.details?.["field"]]).toEqual([`ERR_SDA_${code}`, field]);
  });

  it.each([
    ["is a list", [1]],
    ["is None", null],
    ["is text", "0.01"],
    ["is negative", -1],
  ])("kl_weight_max %s: only its presence tells the version", async (_, value) => {
    const path = await changed(EARLY, set("training_config.kl_weight_max", value));
    expect((await readMetadata(path)).generation).toBe("distill-2");
    const model = await loadModel(path, { device: "cpu" });
    expect(model.generation).toBe("distill-2");
    model.dispose();
  });

  it("model_type is another text: the file is told by its other content", async () => {
    const path = await changed(CODES, set("model_type", "vqgan"));
    expect((await refusal(path)).code).toBe("ERR_SDA_VERSION");
  });

  it("a .sda file with codes' content stays one of v1.0", async () => {
    const path = await changed("models/tiny.sda", set("model_type", "vqvae"));
    const model = await loadModel(path, { device: "cpu" });
    expect(model.generation).toBe("sda");
    model.dispose();
  });
});

/** [file, dict of tensors, prefix of their names in errors] */
const TENSORS: [string, string[], string][] = [
  [EARLY, ["model_state_dict"], ""],
  [MAIN, ["model_state_dict"], ""],
  [GAN, ["model_state_dict"], ""],
  [COMPLEX, ["model_state_dict"], ""],
  [CODES, ["model_state_dict"], ""],
  [PRIOR, ["prior_state_dict"], "prior_state_dict."],
  [VOCODER, ["vocoder_state", "generator_state_dict"], "vocoder_state.generator_state_dict."],
  [CANCELLED, ["vocoder_state", "generator_state_dict"], "vocoder_state.generator_state_dict."],
];
/** How many of the tensors are tried in each way. */
const TRIED = count({ quick: 6, full: 40 });

describe.skipIf(!engineBuilt).each(TENSORS)("tensors of %s in %s", (name, keys, prefix) => {
  const names = async () => {
    const tensors = dictAt((await load(fixture(name))) as Dict, ...keys);
    // The first tells whether a model is only a decoder, the second how many layers it has: without
    // them, the file is of another kind.
    const telling = ["encoder.fc_mu.weight", "decoder.deconvs.0.weight"];
    const all = ([...tensors.keys()] as string[]).filter((key) => !telling.includes(key));
    const step = Math.max(1, Math.floor(all.length / TRIED));
    return all.filter((_, i) => i % step === 0);
  };
  const tried = async (
    change: (tensors: Dict, tensor: string) => unknown,
    named = (tensor: string): object => ({ tensor: `${prefix}${tensor}` }),
  ) => {
    for (const tensor of await names()) {
      const path = await changed(name, (content) => {
        change(dictAt(content, ...keys), tensor);
      });
      const error = await refusal(path);
      expect(error, tensor).toMatchObject({ code: "ERR_SDA_SCHEMA", details: named(tensor) });
    }
  };

  it("are missing", () => tried((tensors, tensor) => tensors.delete(tensor)));

  it("have another shape", () =>
    tried((tensors, tensor) => tensors.set(tensor, zeros("float32", [3, 1, 2]))));

  it("have another number type", () =>
    tried((tensors, tensor) => {
      const { shape, dtype } = tensors.get(tensor) as Tensor;
      if (/initted|cluster_size|embed_avg|causal_mask/.test(tensor)) {
        // No computation uses these, so any type is right.
        return tensors.delete(tensor);
      }
      return tensors.set(tensor, zeros(dtype === "int32" ? "int16" : "int32", shape));
    }));

  it("are not tensors", () =>
    tried(
      (tensors, tensor) => {
        tensors.set(tensor, new NdArray("float32", [1], new Float32Array(1)));
      },
      (tensor) => ({ field: [...keys, tensor].join(".") }),
    ));

  it("are too many", async () => {
    const path = await changed(name, (content) =>
      dictAt(content, ...keys).set("decoder.extra", zeros("float32", [1])),
    );
    const error = await refusal(path);
    expect([error.code, error.details?.["tensor"]]).toEqual([
      "ERR_SDA_SCHEMA",
      `${prefix}decoder.extra`,
    ]);
  });
});

function zeros(dtype: "float32" | "int32" | "int16", shape: readonly number[]): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  const make = { float32: Float32Array, int32: Int32Array, int16: Int16Array }[dtype];
  return new Tensor(dtype, [...shape], new make(size));
}

describe.skipIf(!engineBuilt)("weights with NaN", () => {
  const poison = (tensor: Tensor) => {
    (tensor.data as Float32Array).fill(Number.NaN);
  };

  it.each([
    [MAIN, ["model_state_dict", "decoder.fc.bias"]],
    [COMPLEX, ["model_state_dict", "decoder.deconvs.16.bias"]],
    [PRIOR, ["model_state_dict", "decoder.proj.bias"]],
    [PRIOR, ["prior_state_dict", "head.weight"]],
  ])("%s, %s: are reported when they make sound", async (name, keys) => {
    const path = await changed(name, (content) => {
      const dict = dictAt(content, ...keys.slice(0, -1));
      const old = dict.get(keys.at(-1)) as Tensor;
      const fresh = zeros("float32", old.shape);
      poison(fresh);
      dict.set(keys.at(-1), fresh);
    });
    const model = await loadModel(path, { device: "cpu" });
    const error = await sdaError(() => model.generate({ seed: 1, durationS: 1 }));
    expect(error.code).toBe("ERR_SDA_SCHEMA");
    model.dispose();
  });
});

describe.skipIf(!engineBuilt)("codes out of range", () => {
  it.each([-1, 12, 2 ** 31 - 1, -(2 ** 31)])("%i", async (code) => {
    const model = await loadModel(fixture(PRIOR), { device: "cpu" });
    const codes = new Int32Array(24).fill(code, 23);
    for (const call of [() => model.vq?.decode(codes), () => model.vq?.logits(codes)]) {
      const error = await sdaError(call);
      expect([error.code, error.details?.["option"]]).toEqual(["ERR_SDA_ARGUMENT", "codes"]);
    }
    model.dispose();
  });
});

const MUTATIONS = count({ quick: 30, full: 80 });

/** Whatever a file holds, each way of reading it succeeds or throws an SdaError. */
async function survives(path: string, what: string): Promise<boolean> {
  let read = 0;
  const ways: [string, () => Promise<unknown>][] = [
    ["readMetadata", () => readMetadata(path)],
    ["describeModel", () => describeModel(path)],
    [
      "loadModel",
      async () => {
        const model = await loadModel(path, { device: "cpu" });
        model.dispose();
      },
    ],
    [
      "loadModel without verify",
      async () => {
        const model = await loadModel(path, { device: "cpu", verify: false });
        model.dispose();
      },
    ],
    ["verifyFile", () => verifyFile(path)],
  ];
  for (const [name, way] of ways) {
    try {
      await way();
      read += 1;
    } catch (error) {
      if (!(error instanceof SdaError) || error.code === "ERR_SDA_NATIVE") {
        throw new Error(`${what}, ${name}: ${error}`, { cause: error });
      }
    }
  }
  return read === ways.length;
}

describe.skipIf(!engineBuilt).each(generationFixtures)("%s survives", (name) => {
  const original = readFileSync(fixture(name));

  it("being changed anywhere", async () => {
    const next = xorshift(0x5da + name.length);
    const path = join(temporaryFolder(), basename(name));
    // Half of the changes are in the pickle.
    const pickleAt = Math.max(original.indexOf(Buffer.from([0x80, 2])), 0);
    const pickleEnd = original.indexOf(Buffer.from("PK\u0003\u0004", "latin1"), pickleAt);
    for (let i = 0; i < MUTATIONS; i++) {
      let content = Buffer.from(original);
      for (let changes = 1 + next(3); changes > 0; changes--) {
        const at = next(2)
          ? next(content.length)
          : Math.min(pickleAt + next(pickleEnd - pickleAt), content.length - 1);
        if (next(8) === 0) content = content.subarray(0, at);
        else content[at] = next(2) ? next(256) : (content[at] as number) ^ (1 << next(8));
        if (content.length === 0) content = Buffer.from("P");
      }
      writeFileSync(path, content);
      await survives(path, `mutation ${i}`);
    }
    writeFileSync(path, original);
    expect(await survives(path, "the original")).toBe(true);
  });

  it("any value in the place of any other", async () => {
    const next = xorshift(0xf1e1d + name.length);
    const path = join(temporaryFolder(), basename(name));
    const values = [null, true, -1, 0, 1.5, Number.NaN, 2n ** 70n, "text", [], [1], new Map()];
    let loads = 0;
    for (let i = 0; i < MUTATIONS; i++) {
      const content = (await load(fixture(name))) as Dict;
      const { dict, key } = somewhere(content, next);
      const value = values[next(values.length)];
      if (next(4) === 0) dict.delete(key);
      else dict.set(key, value);
      await save(content, path);
      if (await survives(path, `${String(key)} as ${String(value)}`)) loads += 1;
    }
    // Only some fields matter: damage in others must not make a file unreadable.
    expect(loads).toBeGreaterThan(0);
    expect(loads).toBeLessThan(MUTATIONS);
  });
});

/** A key of the content or of a dict inside. */
function somewhere(content: Dict, next: (below: number) => number): { dict: Dict; key: unknown } {
  let dict = content;
  for (;;) {
    const keys = [...dict.keys()];
    const key = keys[next(keys.length)];
    const value = dict.get(key);
    if (value instanceof Map && value.size > 0 && next(4) > 0) dict = value;
    else return { dict, key };
  }
}
