/** How a model's mel spectrograms are made; see `AudioSpectrogram.waveformToMel`. */
export interface SpectrogramConfig {
  /** Hz */
  sampleRate: number;
  /** Samples per STFT window */
  nFft: number;
  /** Samples between windows */
  hopLength: number;
  /** Filters of the mel bank */
  nMels: number;
  /** Hz, where the lowest filter begins */
  fMin: number;
  /** Hz, where the highest filter ends; null is half the sample rate */
  fMax: number | null;
  /** Exponent of the magnitude: 2 is power, 1 is magnitude */
  power: number;
}

export const SPECTROGRAM_DEFAULTS: Readonly<SpectrogramConfig> = Object.freeze({
  sampleRate: 48000,
  nFft: 2048,
  hopLength: 512,
  nMels: 128,
  fMin: 0,
  fMax: null,
  power: 2,
});
