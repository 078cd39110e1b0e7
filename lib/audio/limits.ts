/**
 * The limits of generation, in one place. Every check, schema, form and help text in TypeScript
 * takes them from here. The engine has a table of its own in C++
 * (native/engine/generation/generation_limits.h); test/audio/limits.test.ts compares the two.
 *
 * A range is inclusive: `min` and `max` are both allowed. `above` excludes its own value. This
 * file imports nothing, so that the web page can bundle it.
 * @example
 * ```js
 * const { min, max } = GENERATION_LIMITS.width;
 * console.log(`${min} to ${max}`); // 0 to 1.5
 * ```
 */
export const LIMITS = {
  /** Seconds of sound that one request makes. */
  durationS: { above: 0, max: 60 },
  /** Seeds that a caller may pass: the non-negative safe integers of JavaScript. */
  seed: { min: 0, max: 2 ** 53 - 1 },
  /** What is drawn where the caller passes no seed: 32 bits, which are easy to read and to type. */
  drawnSeed: { min: 0, max: 2 ** 32 - 1 },
  /** Points between two anchors of "latent_interpolation". */
  stepsBetween: { min: 1, max: 1000 },
  /** Chunks of one channel. "peak" holds every chunk until the peak is known. */
  chunks: { min: 1, max: 1024 },
  /** Length of a crossfade, in samples at 48 kHz: at most half of a chunk, which is one second. */
  overlapSamples: { min: 0, max: 24000 },
  /** Strength of the side signal of "stereo". */
  width: { min: 0, max: 1.5 },
  /** Strength of the reflection of "stereo"; "dual_seed" always has 0.3. */
  depth: { min: 0, max: 1 },
  /** How far `sliders` or a `latent` move over the time of a sound. */
  evolution: { min: 0, max: 1 },
  /** Divides the logits that codes are drawn from. */
  temperature: { min: 0.01, max: 100 },
  /** The number of likeliest codes that are drawn from; 0: all. */
  topK: { min: 0, max: 2 ** 20 },
  /** The share of the likeliest codes that are drawn from; 0 and 1: all. */
  topP: { min: 0, max: 1 },
  /** Sample rates of the result, in Hz. */
  sampleRates: [44100, 48000, 96000],
  concatModes: ["crossfade", "latent_interpolation"],
  joints: ["python", "equal-power"],
  spatialModes: ["mono", "stereo", "dual_seed"],
  loudnesses: ["peak", "running", "none"],
} as const;
