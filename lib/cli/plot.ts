/** Draws a sound as SVG: the waveform of each channel, and the mel spectrogram below. */
import type { GenerationResult } from "../audio/generation.js";
import { writeOutput } from "../base/output-file.js";
import type { SpectrogramConfig } from "../format/spectrogram-config.js";
import type { LoadedModel } from "../model/loaded-model.js";
import { melPicture } from "../model/mel-picture.js";
import { printable } from "./text.js";

const WIDTH = 1200;
const LEFT = 70;
const RIGHT = 20;
const TOP = 50;
const WAVE_HEIGHT = 150;
const MEL_HEIGHT = 320;
const GAP = 24;
const BOTTOM = 50;
const PLOT = WIDTH - LEFT - RIGHT;
const INK = "#333333";
const WAVE = "#2563a8";

/**
 * Writes the picture of a sound to an SVG file.
 *
 * @throws SdaError ERR_SDA_IO, ERR_SDA_NOT_FOUND (no such folder)
 */
export async function writePlot(
  path: string,
  sound: GenerationResult,
  model: LoadedModel,
): Promise<void> {
  const svg = await plot(sound, model);
  await writeOutput(path, (append) => append(svg));
}

async function plot(sound: GenerationResult, model: LoadedModel): Promise<string> {
  const { config } = model.spectrogram;
  const waves = sound.audio.map((samples, channel) => {
    const top = TOP + channel * (WAVE_HEIGHT + GAP);
    return waveform(samples, top);
  });
  const melTop = TOP + sound.channels * (WAVE_HEIGHT + GAP);
  const mel = await melPicture(sound, model, { maxWidth: PLOT });
  const height = melTop + MEL_HEIGHT + BOTTOM;
  const title = `${printable(model.metadata.name)}, seed ${sound.seed}`;
  const shape = sound.channels === 1 ? "mono" : "stereo";
  const facts = `${sound.durationS.toFixed(2)} s, ${sound.sampleRate} Hz, ${shape}`;
  const size = `width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}"`;
  const font = 'font-family="DejaVu Sans, Verdana, Arial, sans-serif" font-size="13"';
  const png = Buffer.from(mel.png).toString("base64");
  const image = `width="${PLOT}" height="${MEL_HEIGHT}" preserveAspectRatio="none"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${font} fill="${INK}">
<title>${escapeXml(title)}</title>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="${LEFT}" y="30" font-size="18">${escapeXml(title)}</text>
<text x="${WIDTH - RIGHT}" y="30" text-anchor="end">${facts}</text>
${waves.join("\n")}
<image x="${LEFT}" y="${melTop}" ${image} href="data:image/png;base64,${png}"/>
${frequencyAxis(config, sound.sampleRate / config.sampleRate, melTop)}
${timeAxis(sound.durationS, melTop + MEL_HEIGHT)}
</svg>
`;
}

/** Draws the smallest and the largest sample of each pixel column. */
function waveform(samples: Float32Array, top: number): string {
  const middle = top + WAVE_HEIGHT / 2;
  const y = (value: number) => (middle - (value * WAVE_HEIGHT) / 2).toFixed(1);
  const upper: string[] = [];
  const lower: string[] = [];
  for (let column = 0; column < PLOT; column++) {
    const from = Math.floor((column * samples.length) / PLOT);
    const to = Math.max(from + 1, Math.floor(((column + 1) * samples.length) / PLOT));
    let least = Number.POSITIVE_INFINITY;
    let largest = Number.NEGATIVE_INFINITY;
    for (let i = from; i < Math.min(to, samples.length); i++) {
      const sample = samples[i] as number;
      if (sample < least) least = sample;
      if (sample > largest) largest = sample;
    }
    if (least > largest) continue;
    upper.push(`${LEFT + column},${y(largest)}`);
    lower.unshift(`${LEFT + column},${y(least)}`);
  }
  const labels = [1, 0, -1].map(
    (value) =>
      `<text x="${LEFT - 8}" y="${Number(y(value)) + 4}" text-anchor="end">${value}</text>` +
      `<path d="M${LEFT} ${y(value)}h${PLOT}" stroke="#dddddd"/>`,
  );
  const points = [...upper, ...lower].join(" ");
  const style = `fill="${WAVE}" stroke="${WAVE}" stroke-width="0.5"`;
  return `${labels.join("")}<polygon points="${points}" ${style}/>`;
}

/** HTK's mel scale (O'Shaughnessy 1987), which the model's filters use. */
const toMel = (hz: number) => 2595 * Math.log10(1 + hz / 700);

/**
 * @param stretch the sound's sample rate divided by the model's. The filter bank assumes the
 *   model's rate, so each filter shows a frequency that is higher by this factor
 */
function frequencyAxis(config: SpectrogramConfig, stretch: number, top: number): string {
  const [low, high] = [toMel(config.fMin), toMel(config.fMax ?? config.sampleRate / 2)];
  const ticks = [100, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000];
  return ticks
    .map((hz) => [hz, (toMel(hz / stretch) - low) / (high - low)] as const)
    .filter(([, place]) => place >= 0 && place <= 1)
    .filter(([, place], i, all) => i === 0 || (place - (all[i - 1]?.[1] ?? 0)) * MEL_HEIGHT > 14)
    .map(([hz, place]) => {
      const y = (top + MEL_HEIGHT * (1 - place)).toFixed(1);
      const text = hz < 1000 ? `${hz} Hz` : `${hz / 1000} kHz`;
      return (
        `<text x="${LEFT - 8}" y="${Number(y) + 4}" text-anchor="end">${text}</text>` +
        `<path d="M${LEFT - 5} ${y}h5" stroke="${INK}"/>`
      );
    })
    .join("");
}

function timeAxis(durationS: number, y: number): string {
  const steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];
  const step = steps.find((s) => durationS / s <= 12) ?? 10;
  const ticks = [];
  for (let i = 0; i * step <= durationS; i++) {
    const seconds = +(i * step).toFixed(2);
    const x = (LEFT + (PLOT * seconds) / durationS).toFixed(1);
    ticks.push(
      `<path d="M${x} ${y}v5" stroke="${INK}"/>` +
        `<text x="${x}" y="${y + 20}" text-anchor="middle">${seconds} s</text>`,
    );
  }
  return ticks.join("");
}

function escapeXml(text: string): string {
  const names: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return text.replace(/[\ufffe\uffff]/g, "").replace(/[&<>"]/g, (c) => names[c] ?? c);
}
