/**
 * The server's peaks as the waveform component takes them: two rows, the upper and the lower half of the drawing.
 * A single channel has its maxima above and its minima below; of two channels the left is above, the right below.
 */
export function waveformRows(peaks: readonly (readonly number[])[]): [number[], number[]] {
  const [left = [], right] = peaks;
  const maxima = left.filter((_, i) => i % 2 === 1);
  const minima = left.filter((_, i) => i % 2 === 0);
  if (right === undefined) return [maxima, minima];
  return [extremes(left), extremes(right)];
}

/** Whichever of each minimum and maximum lies farther from 0. */
function extremes(pairs: readonly number[]): number[] {
  return Array.from({ length: Math.floor(pairs.length / 2) }, (_, i) =>
    Math.max(Math.abs(pairs[2 * i] ?? 0), Math.abs(pairs[2 * i + 1] ?? 0)),
  );
}
