/** Functions on samples. */

export function interleaved(audio: readonly Float32Array[]): Float32Array {
  const [first = new Float32Array()] = audio;
  if (audio.length === 1) return first;
  const samples = new Float32Array(first.length * audio.length);
  audio.forEach((channel, c) => {
    for (let i = 0; i < channel.length; i++) samples[i * audio.length + c] = channel[i] as number;
  });
  return samples;
}

/**
 * Splits the samples into `spans` equal parts. An empty part takes the sample before it.
 *
 * @returns the minimum and maximum of each part, as [min, max, min, max, …]
 */
export function peaksOf(samples: Float32Array, spans: number): number[] {
  const peaks: number[] = [];
  for (let span = 0; span < spans; span++) {
    const from = Math.min(Math.floor((span * samples.length) / spans), samples.length - 1);
    const to = Math.max(from + 1, Math.floor(((span + 1) * samples.length) / spans));
    let least = Number.POSITIVE_INFINITY;
    let largest = Number.NEGATIVE_INFINITY;
    for (let i = Math.max(0, from); i < to; i++) {
      const sample = samples[i] ?? 0;
      if (sample < least) least = sample;
      if (sample > largest) largest = sample;
    }
    peaks.push(least, largest);
  }
  return peaks;
}
