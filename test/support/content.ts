/** Hand-made contents of model files, in the form that the native reader returns. */
import { NdArray } from "../../lib/values/values.js";

export type Dict = Map<string, unknown>;

export function dict(entries: Record<string, unknown>): Dict {
  return new Map(Object.entries(entries));
}

export function floats(dtype: "float32" | "float64", values: number[] | number[][]): NdArray {
  const nested = Array.isArray(values[0]);
  const flat = values.flat();
  const shape = nested ? [values.length, (values[0] as number[]).length] : [values.length];
  const data = dtype === "float32" ? Float32Array.from(flat) : Float64Array.from(flat);
  return new NdArray(dtype, shape, data, false);
}

/** Two axes in three dimensions. */
export function analysisDict(changes: Record<string, unknown> = {}): Dict {
  return dict({
    version: 1,
    pca_components: floats("float32", [
      [1, 0, 0],
      [0, 0.5, 0.25],
    ]),
    pca_mean: floats("float32", [0.5, -0.5, 0]),
    explained_variance_ratio: floats("float32", [0.75, 0.25]),
    n_active_components: 2,
    component_labels: ["bright", "loud"],
    suggested_labels: ["spectral_centroid", "rms_energy"],
    safe_min: floats("float32", [-2, -1]),
    safe_max: floats("float32", [2, 1]),
    warning_min: floats("float32", [-3, -1.5]),
    warning_max: floats("float32", [3, 1.5]),
    step_size: floats("float32", [0.5, 0.25]),
    n_steps: 21,
    feature_correlations: dict({ rms_energy: [0.5, -1] }),
    latent_dim: 3,
    ...changes,
  });
}

export function modelDict(changes: Record<string, unknown> = {}): Dict {
  return dict({
    format: "sda_model",
    version: 1,
    latent_dim: 3,
    spectrogram_config: dict({
      sample_rate: 16000,
      n_fft: 1024,
      hop_length: 256,
      n_mels: 64,
      f_min: 0,
      f_max: null,
      power: 2,
    }),
    latent_analysis: analysisDict(),
    training_config: dict({ latent_dim: 3, learning_rate: 0.001 }),
    metadata: dict({ name: "Test", tags: ["a"], training_epochs: 3 }),
    ...changes,
  });
}

/** `content` without the given keys. */
export function without(content: Dict, ...keys: string[]): Dict {
  for (const key of keys) content.delete(key);
  return content;
}
