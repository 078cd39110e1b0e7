/**
 * The content of small files of v1.1. Imports no code of the package, because the server's tests
 * use the package's compiled copy.
 */
import type { VocoderInfo } from "../../lib/index.js";

type Dict = Map<string, unknown>;

export const VOCODER = {
  type: "hifigan_v2",
  epochs: 3,
  finalLoss: 1.5,
  trainingDate: "2026-11-26",
};

/**
 * Makes a model's content one of v1.1.
 *
 * @param vocoder has no weights
 * @param id the model's new id
 */
export function toGan(content: Dict, vocoder?: VocoderInfo, id?: string): Dict {
  content.set("format", "distillgan_model");
  if (id !== undefined) (content.get("metadata") as Dict).set("model_id", id);
  if (vocoder) {
    const config = content.get("spectrogram_config") as Dict;
    content.set("vocoder_state", vocoderState(vocoder, config));
  }
  return content;
}

function vocoderState(
  { type, epochs, finalLoss, trainingDate }: VocoderInfo,
  spectrogram: Dict,
): Dict {
  const config = {
    resblock_type: 1,
    upsample_initial_channel: 8,
    sample_rate: spectrogram.get("sample_rate"),
    hop_size: spectrogram.get("hop_length"),
    num_mels: spectrogram.get("n_mels"),
    upsample_rates: [8, 8, 4, 2],
    upsample_kernel_sizes: [16, 16, 8, 4],
    resblock_kernel_sizes: [3, 7, 11],
    resblock_dilation_sizes: [[1], [1], [1]],
  };
  const training = { epochs, final_loss: finalLoss, training_date: trainingDate };
  return new Map<string, unknown>([
    ["type", type],
    ["generator_state_dict", new Map()],
    ["config", new Map(Object.entries(config))],
    ["training_metadata", new Map(Object.entries(training))],
  ]);
}
