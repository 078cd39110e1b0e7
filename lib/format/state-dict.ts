/** Checks the tensors of a model by the same rules as the engine when it loads a file. */
import { show } from "../base/brief.js";
import { SdaError } from "../base/errors.js";
import { isMap } from "../base/realm.js";
import type { NativeCodebook, NativePrior, NativeVocoderConfig, Network } from "../native/types.js";
import { type DType, Tensor } from "../values/values.js";
import type { ModelContent } from "./schema.js";
import type { SpectrogramConfig } from "./spectrogram-config.js";

const FOUR_LAYERS = [1, 32, 64, 128, 256];
const FIVE_LAYERS = [2, 64, 128, 256, 512, 1024];
const KERNEL = [3, 3];
const FLOATS: readonly DType[] = ["float16", "bfloat16", "float32", "float64"];

/** Makes the error for the tensor `name`. `problem` completes the sentence, as in "is missing". */
export type RefuseTensor = (name: string, problem: string) => SdaError;

/** What a network's shapes follow from. */
export interface NetworkFacts {
  network: Network;
  latentDim: number;
  config: SpectrogramConfig;
  codebook?: NativeCodebook | undefined;
}

/** A dict of tensors that must be there, by name, with their shapes. */
interface Expected {
  tensors: Map<string, number[]>;
  /** What the tensors are part of, for errors */
  what: string;
  /** Whether a tensor may be missing */
  isOptional?: (name: string) => boolean;
  /** Tensors that no computation uses, of any type */
  unused?: RegExp;
}

/**
 * Checks that every tensor of the network exists with its shape and a float type, and that there is
 * no other tensor. A VAE's state dict without `encoder.fc_mu.weight` is a decoder-only model; its
 * other encoder tensors are optional.
 */
export function checkStateDict(
  tensors: ReadonlyMap<unknown, unknown>,
  facts: NetworkFacts,
  refuse: RefuseTensor,
): void {
  const isOfCodes = facts.network === "codes";
  const isDecoderOnly = !isOfCodes && !tensors.has("encoder.fc_mu.weight");
  checkTensors(
    tensors,
    {
      tensors: expectedTensors(facts),
      what: isOfCodes ? "a VQ-VAE" : "a ConvVAE",
      isOptional: (name) => isDecoderOnly && name.startsWith("encoder."),
      unused: /\.(initted|cluster_size|embed_avg)$/,
    },
    refuse,
  );
}

function checkTensors(
  tensors: ReadonlyMap<unknown, unknown>,
  { tensors: expected, what, isOptional, unused }: Expected,
  refuse: RefuseTensor,
): void {
  for (const [name, tensor] of tensors) {
    const shape = expected.get(name as string);
    if (shape === undefined) throw refuse(String(name), `is not part of ${what}`);
    if (!(tensor instanceof Tensor)) throw refuse(String(name), `is ${show(tensor)}, not a Tensor`);
    if (tensor.shape.join() !== shape.join()) {
      const found = `[${tensor.shape.join(", ")}]`;
      throw refuse(String(name), `has shape ${found}, expected [${shape.join(", ")}]`);
    }
    if (unused?.test(name as string)) continue;
    const types = isCounter(name as string) ? ["int64"] : FLOATS;
    if (!types.includes(tensor.dtype)) {
      throw refuse(String(name), `has dtype ${tensor.dtype}, expected ${types.join(" or ")}`);
    }
  }
  for (const [name, shape] of expected) {
    if (tensors.has(name) || isOptional?.(name)) continue;
    throw refuse(name, `is missing, expected with shape [${shape.join(", ")}]`);
  }
}

/**
 * Checks every dict of tensors of a file: the network's, the vocoder's and the prior's.
 *
 * @param content the top-level dict, with its tensors
 * @throws SdaError ERR_SDA_SCHEMA (`details.tensor`, `details.field`)
 */
export function checkFileTensors(
  content: ReadonlyMap<unknown, unknown>,
  model: ModelContent,
  path: string,
): void {
  const refuseIn = (prefix: string) => (name: string, problem: string) => {
    const tensor = `${prefix}${name}`;
    return new SdaError("ERR_SDA_SCHEMA", `tensor ${tensor} of ${path} ${problem}`, {
      path,
      tensor,
    });
  };
  const { generation, latentDim, spectrogramConfig: config, parts } = model;
  const weights = dictOf(content, "model_state_dict", path);
  const { codebook, prior, vocoder } = parts;
  checkStateDict(
    weights,
    { network: generation.network, latentDim, config, codebook },
    refuseIn(""),
  );
  if (prior && codebook) {
    checkTensors(
      dictOf(content, "prior_state_dict", path),
      { tensors: priorTensors(prior, codebook), what: "a prior", unused: /^causal_mask$/ },
      refuseIn("prior_state_dict."),
    );
  }
  if (vocoder) {
    const state = content.get("vocoder_state") as ReadonlyMap<unknown, unknown>;
    checkTensors(
      dictOf(state, "generator_state_dict", path),
      { tensors: vocoderTensors(vocoder), what: "a HiFi-GAN generator" },
      refuseIn("vocoder_state.generator_state_dict."),
    );
  }
}

function dictOf(content: ReadonlyMap<unknown, unknown>, field: string, path: string) {
  const dict = content.get(field);
  if (isMap(dict)) return dict;
  throw new SdaError(
    "ERR_SDA_SCHEMA",
    `${field} of ${path} should be a dict, but is ${show(dict)}`,
    {
      path,
      field,
    },
  );
}

class Shapes extends Map<string, number[]> {
  layer(prefix: string, weight: number[], outputs: number): void {
    this.set(`${prefix}.weight`, weight);
    this.set(`${prefix}.bias`, [outputs]);
  }

  norm(prefix: string, channels: number): void {
    this.layer(prefix, [channels], channels);
    this.set(`${prefix}.running_mean`, [channels]);
    this.set(`${prefix}.running_var`, [channels]);
    this.set(`${prefix}.num_batches_tracked`, []);
  }
}

/** The tensors of the network: name → shape. */
function expectedTensors({ network, latentDim, config, codebook }: NetworkFacts): Shapes {
  const channels = network === "complex" ? FIVE_LAYERS : FOUR_LAYERS;
  const stages = channels.length - 1;
  const deepest = channels.at(-1) as number;
  const tensors = new Shapes();
  for (let i = 0; i < stages; i++) {
    const [inputs, outputs] = channels.slice(i, i + 2) as [number, number];
    tensors.layer(`encoder.convs.${4 * i}`, [outputs, inputs, ...KERNEL], outputs);
    tensors.norm(`encoder.convs.${4 * i + 1}`, outputs);
    // The decoder has the same stages in reverse. Its last layer has no batch normalisation.
    const j = stages - 1 - i;
    tensors.layer(`decoder.deconvs.${4 * j}`, [outputs, inputs, ...KERNEL], inputs);
    if (j < stages - 1) tensors.norm(`decoder.deconvs.${4 * j + 1}`, inputs);
  }
  if (codebook) {
    const { codebookDim: dim, codebookSize: size, numQuantizers } = codebook;
    tensors.layer("encoder.proj", [dim, deepest, 1, 1], dim);
    for (let q = 0; q < numQuantizers; q++) {
      const prefix = `quantizer.rvq.layers.${q}._codebook`;
      tensors.set(`${prefix}.initted`, [1]);
      tensors.set(`${prefix}.cluster_size`, [1, size]);
      tensors.set(`${prefix}.embed_avg`, [1, size, dim]);
      tensors.set(`${prefix}.embed`, [1, size, dim]);
    }
    tensors.layer("decoder.proj", [deepest, dim, 1, 1], deepest);
    return tensors;
  }
  // Each stage of the encoder halves both dimensions.
  const reduction = 2 ** stages;
  const frames = Math.floor(config.sampleRate / config.hopLength) + 1;
  const cells = Math.ceil(config.nMels / reduction) * Math.ceil(frames / reduction);
  const features = deepest * cells;
  tensors.layer("encoder.fc_mu", [latentDim, features], latentDim);
  tensors.layer("encoder.fc_logvar", [latentDim, features], latentDim);
  tensors.layer("decoder.fc", [features, latentDim], features);
  return tensors;
}

function priorTensors(prior: NativePrior, { codebookSize }: NativeCodebook): Shapes {
  const { hiddenSize: hidden, seqLen } = prior;
  const tensors = new Shapes();
  tensors.set("causal_mask", [seqLen, seqLen]);
  tensors.set("token_emb.weight", [codebookSize, hidden]);
  tensors.set("pos_emb.weight", [seqLen, hidden]);
  tensors.set("level_emb.weight", [prior.numQuantizers, hidden]);
  for (let i = 0; i < prior.numLayers; i++) {
    const prefix = `transformer.layers.${i}`;
    tensors.set(`${prefix}.self_attn.in_proj_weight`, [3 * hidden, hidden]);
    tensors.set(`${prefix}.self_attn.in_proj_bias`, [3 * hidden]);
    tensors.layer(`${prefix}.self_attn.out_proj`, [hidden, hidden], hidden);
    tensors.layer(`${prefix}.linear1`, [4 * hidden, hidden], 4 * hidden);
    tensors.layer(`${prefix}.linear2`, [hidden, 4 * hidden], hidden);
    tensors.layer(`${prefix}.norm1`, [hidden], hidden);
    tensors.layer(`${prefix}.norm2`, [hidden], hidden);
  }
  tensors.layer("ln_f", [hidden], hidden);
  tensors.set("head.weight", [codebookSize, hidden]);
  return tensors;
}

const END_WIDTH = 7;

function vocoderTensors(config: NativeVocoderConfig): Shapes {
  const tensors = new Shapes();
  const layer = (prefix: string, shape: [number, number, number], outputs: number) => {
    tensors.set(`${prefix}.bias`, [outputs]);
    tensors.set(`${prefix}.weight_g`, [shape[0], 1, 1]);
    tensors.set(`${prefix}.weight_v`, shape);
  };
  let channels = config.upsampleInitialChannel;
  layer("conv_pre", [channels, config.nMels, END_WIDTH], channels);
  const kernels = config.resblockKernelSizes;
  config.upsampleKernelSizes.forEach((width, stage) => {
    layer(`ups.${stage}`, [channels, channels / 2, width], channels / 2);
    channels /= 2;
    kernels.forEach((size, k) => {
      config.resblockDilationSizes[k]?.forEach((_, d) => {
        for (const convs of ["convs1", "convs2"]) {
          const prefix = `resblocks.${stage * kernels.length + k}.${convs}.${d}`;
          layer(prefix, [channels, channels, size], channels);
        }
      });
    });
  });
  layer("conv_post", [1, channels, END_WIDTH], 1);
  return tensors;
}

/** Whether the tensor counts batches: an int64, not a float. */
function isCounter(name: string): boolean {
  return name.endsWith(".num_batches_tracked");
}
