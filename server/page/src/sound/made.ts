/** A decoded sound, with the positions and settings that it was made from. */
import type { Settings } from "../model/settings.js";
import type { SoundResult } from "../types.js";

export interface Made {
  kind: "preview" | "full";
  result: SoundResult;
  buffer: AudioBuffer;
  positions: readonly number[];
  settings: Settings;
}

/**
 * Decodes a WAV file. OfflineAudioContext keeps the file's sample rate and, unlike AudioContext,
 * works before the user's first click.
 */
export function decode(wav: ArrayBuffer, sampleRate: number): Promise<AudioBuffer> {
  return new OfflineAudioContext(1, 1, sampleRate).decodeAudioData(wav);
}
