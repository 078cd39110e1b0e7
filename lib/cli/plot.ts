/** A picture of a sound: its waveform, and under it its mel spectrogram, as SVG. */

import type { GenerationResult } from "../audio/generation.js";
import { writeFileAtomically } from "../base/atomic-file.js";
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
 * Writes the picture beside a sound.
 *
 * @throws SdaError ERR_SDA_IO, ERR_SDA_NOT_FOUND (no such folder)
 */
export async function writePlot(
  path: string,
  sound: GenerationResult,
  model: LoadedModel,
): Promise<void> {
  const svg = await plot(sound, model);
  await writeFileAtomically(path, (file) => file.writeFile(svg));
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
  const facts = `${sound.durationS.toFixed(2)} s, ${sound.sampleRate} Hz, ${sound.channels === 1 ? "mono" : "stereo"}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="DejaVu Sans, Verdana, Arial, sans-serif" font-size="13" fill="${INK}">
<title>${escapeXml(title)}</title>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="${LEFT}" y="30" font-size="18">${escapeXml(title)}</text>
<text x="${WIDTH - RIGHT}" y="30" text-anchor="end">${facts}</text>
${waves.join("\n")}
<image x="${LEFT}" y="${melTop}" width="${PLOT}" height="${MEL_HEIGHT}" preserveAspectRatio="none" href="data:image/png;base64,${Buffer.from(mel.png).toString("base64")}"/>
${frequencyAxis(config, sound.sampleRate / config.sampleRate, melTop)}
${timeAxis(sound.durationS, melTop + MEL_HEIGHT)}
</svg>
`;
}

/** The least and the largest sample under each column of the picture. */
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
      `<text x="${LEFT - 8}" y="${Number(y(value)) + 4}" text-anchor="end">${value}</text><path d="M${LEFT} ${y(value)}h${PLOT}" stroke="#dddddd"/>`,
  );
  return `${labels.join("")}<polygon points="${[...upper, ...lower].join(" ")}" fill="${WAVE}" stroke="${WAVE}" stroke-width="0.5"/>`;
}

const toMel = (hz: number) => 2595 * Math.log10(1 + hz / 700); // HTK's scale, as the model's filters have it

/** @param stretch the filters count samples, not seconds: at another rate than the model's they lie higher or lower */
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
      return `<text x="${LEFT - 8}" y="${Number(y) + 4}" text-anchor="end">${text}</text><path d="M${LEFT - 5} ${y}h5" stroke="${INK}"/>`;
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
      `<path d="M${x} ${y}v5" stroke="${INK}"/><text x="${x}" y="${y + 20}" text-anchor="middle">${seconds} s</text>`,
    );
  }
  return ticks.join("");
}

function escapeXml(text: string): string {
  const names: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return text.replace(/[\ufffe\uffff]/g, "").replace(/[&<>"]/g, (c) => names[c] ?? c);
}
