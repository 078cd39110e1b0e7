/** Checks the tensors of a ConvVAE by the same rules as the engine when it loads a file. */
import { show } from "../base/brief.js";
import { SdaError } from "../base/errors.js";
import { type DType, Tensor } from "../values/values.js";
import type { SpectrogramConfig } from "./spectrogram-config.js";

const CHANNELS = [1, 32, 64, 128, 256];
const KERNEL = [3, 3];
/** Each of the encoder's four stages halves both dimensions: 2^4. */
const REDUCTION = 16;
const FLOATS: readonly DType[] = ["float16", "bfloat16", "float32", "float64"];

/** Makes the error for the tensor `name`. `problem` completes the sentence, as in "is missing". */
export type RefuseTensor = (name: string, problem: string) => SdaError;

/**
 * Checks that every tensor of the network exists with its shape and a float type, and that there is
 * no other tensor. A state dict without `encoder.fc_mu.weight` is a decoder-only model; its other
 * encoder tensors are optional.
 */
export function checkStateDict(
  tensors: ReadonlyMap<unknown, unknown>,
  latentDim: number,
  config: SpectrogramConfig,
  refuse: RefuseTensor,
): void {
  const expected = expectedTensors(latentDim, config);
  const decoderOnly = !tensors.has("encoder.fc_mu.weight");
  for (const [name, tensor] of tensors) {
    const shape = expected.get(name as string);
    if (shape === undefined) throw refuse(String(name), "is not part of a ConvVAE");
    if (!(tensor instanceof Tensor)) throw refuse(String(name), `is ${show(tensor)}, not a Tensor`);
    if (tensor.shape.join() !== shape.join()) {
      const found = `[${tensor.shape.join(", ")}]`;
      throw refuse(String(name), `has shape ${found}, expected [${shape.join(", ")}]`);
    }
    const types = isCounter(name as string) ? ["int64"] : FLOATS;
    if (!types.includes(tensor.dtype)) {
      throw refuse(String(name), `has dtype ${tensor.dtype}, expected ${types.join(" or ")}`);
    }
  }
  for (const [name, shape] of expected) {
    if (tensors.has(name) || (decoderOnly && name.startsWith("encoder."))) continue;
    throw refuse(name, `is missing, expected with shape [${shape.join(", ")}]`);
  }
}

/**
 * Checks the state dict of a file with `checkStateDict`.
 *
 * @throws SdaError ERR_SDA_SCHEMA (`details.tensor`)
 */
export function checkFileStateDict(
  tensors: ReadonlyMap<unknown, unknown>,
  latentDim: number,
  config: SpectrogramConfig,
  path: string,
): void {
  checkStateDict(tensors, latentDim, config, (tensor, problem) => {
    return new SdaError("ERR_SDA_SCHEMA", `tensor ${tensor} of ${path} ${problem}`, {
      path,
      tensor,
    });
  });
}

/** The tensors of the network: name → shape. */
function expectedTensors(latentDim: number, config: SpectrogramConfig): Map<string, number[]> {
  const frames = Math.floor(config.sampleRate / config.hopLength) + 1;
  const cells = Math.ceil(config.nMels / REDUCTION) * Math.ceil(frames / REDUCTION);
  const features = (CHANNELS.at(-1) as number) * cells;
  const tensors = new Map<string, number[]>();
  const layer = (prefix: string, weight: number[], outputs: number) => {
    tensors.set(`${prefix}.weight`, weight);
    tensors.set(`${prefix}.bias`, [outputs]);
  };
  const norm = (prefix: string, channels: number) => {
    layer(prefix, [channels], channels);
    tensors.set(`${prefix}.running_mean`, [channels]);
    tensors.set(`${prefix}.running_var`, [channels]);
    tensors.set(`${prefix}.num_batches_tracked`, []);
  };
  const stages = CHANNELS.length - 1;
  for (let i = 0; i < stages; i++) {
    const [inputs, outputs] = CHANNELS.slice(i, i + 2) as [number, number];
    layer(`encoder.convs.${4 * i}`, [outputs, inputs, ...KERNEL], outputs);
    norm(`encoder.convs.${4 * i + 1}`, outputs);
    // The decoder has the same stages in reverse. Its last layer has no batch normalisation.
    const j = stages - 1 - i;
    layer(`decoder.deconvs.${4 * j}`, [outputs, inputs, ...KERNEL], inputs);
    if (j < stages - 1) norm(`decoder.deconvs.${4 * j + 1}`, inputs);
  }
  layer("encoder.fc_mu", [latentDim, features], latentDim);
  layer("encoder.fc_logvar", [latentDim, features], latentDim);
  layer("decoder.fc", [features, latentDim], features);
  return tensors;
}

/** Whether the tensor counts batches: an int64, not a float. */
function isCounter(name: string): boolean {
  return name.endsWith(".num_batches_tracked");
}
