/** The settings of a model's mel spectrograms; see `AudioSpectrogram.waveformToMel`. */
export interface SpectrogramConfig {
  /** Hz */
  sampleRate: number;
  /** The length of the STFT window, in samples */
  nFft: number;
  /** The distance between windows, in samples */
  hopLength: number;
  /** The number of mel filters */
  nMels: number;
  /** The lower end of the lowest filter, in Hz */
  fMin: number;
  /** The upper end of the highest filter, in Hz; null: half the sample rate */
  fMax: number | null;
  /** The exponent of the magnitude; 2: power spectrogram, 1: magnitude spectrogram */
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
