/**
 * Converts the server's peaks to the waveform component's two rows, upper and lower half.
 * Mono: maxima above, minima below. Stereo: left channel above, right channel below.
 */
export function waveformRows(peaks: readonly (readonly number[])[]): [number[], number[]] {
  const [left = [], right] = peaks;
  const maxima = left.filter((_, i) => i % 2 === 1);
  const minima = left.filter((_, i) => i % 2 === 0);
  if (right === undefined) return [maxima, minima];
  return [extremes(left), extremes(right)];
}

/** The larger magnitude of each pair of minimum and maximum. */
function extremes(pairs: readonly number[]): number[] {
  return Array.from({ length: Math.floor(pairs.length / 2) }, (_, i) =>
    Math.max(Math.abs(pairs[2 * i] ?? 0), Math.abs(pairs[2 * i + 1] ?? 0)),
  );
}
