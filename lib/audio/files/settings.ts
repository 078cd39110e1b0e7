/** The formats of sound files and their settings. */
import { badArgument, checkNumber, checkOneOf } from "../../base/check.js";
import { SdaError } from "../../base/errors.js";
import { BIT_DEPTHS, type BitDepth, DEFAULT_BIT_DEPTH } from "../wav-format.js";

export const SOUND_FORMATS = ["wav", "flac", "mp3", "ogg"] as const;
/** "ogg" is Vorbis */
export type SoundFormat = (typeof SOUND_FORMATS)[number];

/** Options of the encoders. */
export interface EncoderOptions {
  /** Of "wav" 16, 24 or 32 (float), of "flac" 16 or 24; default 24 */
  bitDepth?: BitDepth;
  /** Of "mp3": kilobits a second, the same for the whole file; default 192 */
  kbps?: number;
  /** Of "ogg": from -1 (small) to 10 (best); default 6 */
  quality?: number;
}

export type EncoderSettings =
  | { format: "wav"; bitDepth: BitDepth }
  | { format: "flac"; bitDepth: 16 | 24 }
  | { format: "mp3"; kbps: Kbps }
  | { format: "ogg"; quality: number };

/** The rates of MPEG-1 layer 3 that the encoder has. */
export const KBPS = [32, 40, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320] as const;
export type Kbps = (typeof KBPS)[number];
const DEFAULT_KBPS: Kbps = 192;
const DEFAULT_QUALITY = 6;
const FLAC_BIT_DEPTHS = [16, 24] as const;
/** Of MPEG-1; LAME would resample others. */
const MP3_SAMPLE_RATES = [32000, 44100, 48000] as const;

/** The formats that each option is for. */
const FORMATS_OF = {
  bitDepth: ["wav", "flac"],
  kbps: ["mp3"],
  quality: ["ogg"],
} as const satisfies Record<keyof EncoderOptions, readonly SoundFormat[]>;

/** @throws SdaError ERR_SDA_ARGUMENT with `details.option` */
export function checkEncoder(format: unknown, options: EncoderOptions): EncoderSettings {
  const known = checkOneOf("format", format, SOUND_FORMATS);
  for (const [name, formats] of Object.entries(FORMATS_OF)) {
    const isOf = (formats as readonly string[]).includes(known);
    if (isOf || options[name as keyof EncoderOptions] === undefined) continue;
    const problem = `${name} is for ${formats.join(" and ")}, not for ${known}`;
    throw new SdaError("ERR_SDA_ARGUMENT", problem, { option: name });
  }
  const { bitDepth = DEFAULT_BIT_DEPTH, kbps = DEFAULT_KBPS, quality = DEFAULT_QUALITY } = options;
  switch (known) {
    case "wav":
      return { format: known, bitDepth: checkOneOf("bitDepth", bitDepth, BIT_DEPTHS) };
    case "flac":
      return {
        format: known,
        bitDepth: checkOneOf("bitDepth", bitDepth as 24, FLAC_BIT_DEPTHS),
      };
    case "mp3":
      return { format: known, kbps: checkOneOf("kbps", kbps as Kbps, KBPS) };
    case "ogg":
      return { format: known, quality: checkNumber("quality", quality, -1, 10) };
  }
}

/** What a format allows; `checkShape` and `wavSize` check WAV. */
const RANGES = {
  flac: { channels: 8, minRate: 1, maxRate: 655_350 },
  mp3: { channels: 2, minRate: 32000, maxRate: 48000 },
  ogg: { channels: 2, minRate: 8000, maxRate: 192_000 },
} as const;

/**
 * Checks whether the format can hold such sound.
 *
 * @throws SdaError ERR_SDA_ARGUMENT with `details.option`
 */
export function checkSound(
  { format }: EncoderSettings,
  {
    sampleRate,
    channels,
    frames,
  }: { sampleRate: number; channels: number; frames?: number | undefined },
): void {
  if (format === "wav") return;
  const range = RANGES[format];
  const isRate =
    format === "mp3"
      ? (MP3_SAMPLE_RATES as readonly number[]).includes(sampleRate)
      : sampleRate >= range.minRate && sampleRate <= range.maxRate;
  if (!isRate) {
    const rates =
      format === "mp3" ? MP3_SAMPLE_RATES.join(", ") : `${range.minRate} to ${range.maxRate}`;
    throw badArgument("sampleRate", `${rates} Hz for ${format}`, sampleRate);
  }
  if (channels > range.channels) {
    throw badArgument("channels", `at most ${range.channels} for ${format}`, channels);
  }
  if (frames === 0) throw badArgument("audio", `at least one sample long for ${format}`, 0);
}
