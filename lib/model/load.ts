import { badArgument, checkBoolean, checkOptions, optionNames, toFilePath } from "../base/check.js";
import { parseModel } from "../format/schema.js";
import { atOnce } from "../native/at-once.js";
import { callNative } from "../native/call.js";
import { engineAddon } from "../native/load.js";
import { AudioSpectrogram } from "./audio-spectrogram.js";
import { ConvVae } from "./conv-vae.js";
import { LoadedModel } from "./loaded-model.js";
import { NativeModel } from "./native-model.js";

/** "auto" takes the best there is. */
export type Device = "auto" | "cpu" | "cuda" | `cuda:${number}` | "mps";

/** How a model is loaded. */
export interface LoadModelOptions {
  /** Default "auto" */
  device?: Device;
  /**
   * true (the default): read the file and check every record's CRC-32; nothing that happens to the file later
   * touches the model. false: map the file; fast and shared between processes, but the file must not be truncated
   * while the model is in use (that would kill the process).
   */
  verify?: boolean;
  /** Aborting rejects with the signal's reason */
  signal?: AbortSignal;
}

const OPTIONS = optionNames<LoadModelOptions>({ device: true, verify: true, signal: true });

const DEVICE = /^(auto|cpu|cuda|cuda:\d{1,3}|mps)$/;

/**
 * Loads an `.sda` model file. Nothing in the file is executed. Weights of any float type are used as float32.
 *
 * @throws SdaError ERR_SDA_NOT_FOUND, ERR_SDA_FORMAT (not a model file), ERR_SDA_CORRUPT (damaged), ERR_SDA_UNSAFE
 *   (refused content), ERR_SDA_VERSION (newer than supported), ERR_SDA_SCHEMA (`details.field` or `details.tensor`),
 *   ERR_SDA_LIMIT, ERR_SDA_DEVICE, ERR_SDA_LIBTORCH, ERR_SDA_ARGUMENT
 */
export async function loadModel(
  path: string | URL,
  options: LoadModelOptions = {},
): Promise<LoadedModel> {
  const file = toFilePath(path);
  checkOptions("options", options, OPTIONS);
  const { device: wanted = "auto", verify = true, signal } = options;
  checkDevice(wanted);
  checkBoolean("verify", verify);

  const addon = engineAddon();
  const opened = await callNative(
    addon,
    signal,
    (cancel) =>
      (verify ? undefined : atOnce(() => addon.openAtOnce(file))) ??
      addon.open(file, { verify }, cancel),
  );
  const content = parseModel(opened.content, file);
  const { latentDim, spectrogramConfig: config } = content;
  const created = await callNative(addon, signal, (cancel) =>
    addon.createModel(opened.file, { latentDim, config, device: wanted }, cancel),
  );

  const native = new NativeModel(addon, created.model, created.spectrogram);
  return LoadedModel.create(native, {
    vae: ConvVae.create(native, latentDim, created.hasEncoder, config),
    spectrogram: AudioSpectrogram.create(native, config),
    analysis: content.analysis,
    metadata: content.metadata,
    trainingConfig: content.trainingConfig,
    device: created.device,
    byteLength: created.byteLength,
  });
}

/** @throws SdaError ERR_SDA_ARGUMENT unless it is the name of a device (which may still not be there) */
export function checkDevice(device: unknown): asserts device is Device {
  if (typeof device !== "string" || !DEVICE.test(device)) {
    throw badArgument("device", '"auto", "cpu", "cuda", "cuda:N" or "mps"', device);
  }
}
