import { badArgument, checkBoolean, checkOptions, optionNames, toFilePath } from "../base/check.js";
import { SdaError } from "../base/errors.js";
import { fileIdentity } from "../base/file-identity.js";
import { contentOf, parseModel } from "../format/schema.js";
import { atOnce } from "../native/at-once.js";
import { prepareBackend } from "../native/backend.js";
import { callNative } from "../native/call.js";
import { engineAddon } from "../native/load-engine.js";
import { AudioSpectrogram } from "./audio-spectrogram.js";
import { ConvVae } from "./conv-vae.js";
import { LoadedModel } from "./loaded-model.js";
import { NativeModel } from "./native-model.js";
import { rememberOrigin } from "./sound-recipe.js";
import { VqVae } from "./vq-vae.js";

/**
 * Where a model computes. "auto" takes the first of "cuda:0", "mps" and "cpu" that this machine
 * has; GPUs need LibTorch (see doc/platforms.md).
 */
export type Device = "auto" | "cpu" | "cuda" | `cuda:${number}` | "mps";

/** Options of `loadModel`. */
export interface LoadModelOptions {
  /** Default "auto" */
  device?: Device;
  /**
   * What computes. "auto" (the default) is LibTorch on GPUs and this package's own code on the CPU;
   * "libtorch" is LibTorch on every device, for comparison: its sound differs from the package's as
   * little as a GPU's
   */
  backend?: "auto" | "libtorch";
  /**
   * - true (the default): read the file and check every record's CRC-32. Later changes of the file
   *   do not affect the model
   * - false: map the file. This is fast, and processes share the memory. But truncating the file
   *   while the model is in use kills the process
   */
  verify?: boolean;
  /** Aborting rejects with the signal's reason */
  signal?: AbortSignal;
}

const OPTIONS = optionNames<LoadModelOptions>({
  device: true,
  backend: true,
  verify: true,
  signal: true,
});

const DEVICE = /^(auto|cpu|cuda|cuda:\d{1,3}|mps)$/;

/**
 * Loads a model file of any version of the program: `.sda`, `.distill` or `.distillgan`. Nothing in
 * the file is executed. Weights of every float dtype are converted to float32 for computing.
 *
 * @throws SdaError ERR_SDA_NOT_FOUND, ERR_SDA_FORMAT (not a model file), ERR_SDA_CORRUPT (damaged),
 *   ERR_SDA_UNSAFE (refused content), ERR_SDA_VERSION (newer than supported), ERR_SDA_SCHEMA
 *   (`details.field` or `details.tensor`), ERR_SDA_LIMIT, ERR_SDA_DEVICE, ERR_SDA_LIBTORCH
 *   (only for GPUs and `backend: "libtorch"`), ERR_SDA_NATIVE, ERR_SDA_ARGUMENT, ERR_SDA_IO. An
 *   aborted call rejects with the signal's reason.
 * @example
 * ```js
 * const model = await loadModel("data/models/pads.sda");
 * const sound = await model.generate({ durationS: 2, seed: 42 });
 * await writeWav("pads.wav", sound);
 * model.dispose();
 * ```
 */
export async function loadModel(
  path: string | URL,
  options: LoadModelOptions = {},
): Promise<LoadedModel> {
  const file = toFilePath(path);
  checkOptions("options", options, OPTIONS);
  const { device = "auto", backend = "auto", verify = true, signal } = options;
  checkDevice(device);
  if (backend !== "auto" && backend !== "libtorch")
    throw badArgument("backend", '"auto" or "libtorch"', backend);
  checkBoolean("verify", verify);

  const addon = engineAddon();
  const identity = await fileIdentity(file).catch(() => null);
  const opened = await callNative(
    addon,
    signal,
    (cancel) =>
      (verify ? undefined : atOnce(() => addon.openAtOnce(file))) ??
      addon.open(file, { verify }, cancel),
  );
  const content = parseModel(contentOf(opened.outline), file, opened.outline.layerShape);
  const { generation, latentDim, spectrogramConfig: config, parts } = content;
  const { network, program } = generation;
  const needsCpu = network === "codes";
  if (needsCpu && device !== "auto" && device !== "cpu") throw onlyOnCpu(device);
  const wanted = needsCpu ? "cpu" : device;
  const by = needsCpu ? "auto" : backend;
  prepareBackend(wanted, by);
  const created = await callNative(addon, signal, (cancel) =>
    addon.createModel(
      opened.file,
      {
        config,
        program,
        ...(network !== "codes" && { network, latentDim }),
        ...parts,
        device: wanted,
        backend: by,
      },
      cancel,
    ),
  );

  const native = new NativeModel(addon, created.model, created.spectrogram);
  const { codebook, prior } = parts;
  const model = LoadedModel.create(native, {
    generation,
    vae: ConvVae.create(native, { latentDim, hasEncoder: created.hasEncoder, config, network }),
    vq: codebook
      ? VqVae.create(native, { codebook, hasPrior: (prior ?? null) !== null, config })
      : null,
    vocoder: content.vocoder,
    spectrogram: AudioSpectrogram.create(native, config, {
      channels: network === "complex" ? 2 : 1,
      isLocal: network === "complex" || content.vocoder !== null,
    }),
    analysis: content.analysis,
    metadata: content.metadata,
    trainingConfig: content.trainingConfig,
    device: created.device,
    byteLength: created.byteLength,
  });
  const isOwn = by === "auto" && created.device === "cpu";
  rememberOrigin(model, file, identity, isOwn ? "sda" : "libtorch");
  return model;
}

function onlyOnCpu(device: Device): SdaError {
  return new SdaError(
    "ERR_SDA_DEVICE",
    `a model of codes plays on the CPU only, not on ${device}`,
    {
      device,
    },
  );
}

/**
 * Checks the spelling of a device name. The machine may lack the device.
 *
 * @throws SdaError ERR_SDA_ARGUMENT
 */
export function checkDevice(device: unknown): asserts device is Device {
  if (typeof device !== "string" || !DEVICE.test(device)) {
    throw badArgument("device", '"auto", "cpu", "cuda", "cuda:N" or "mps"', device);
  }
}
