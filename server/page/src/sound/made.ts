/** A sound that the server made, decoded, with what it was made from. */
import type { Settings } from "../model/settings.js";
import type { SoundResult } from "../types.js";

export interface Made {
  kind: "preview" | "full";
  result: SoundResult;
  buffer: AudioBuffer;
  positions: readonly number[];
  settings: Settings;
}

/** At the sound's own rate, and before the page may make a sound: an AudioContext could do neither. */
export function decode(wav: ArrayBuffer, sampleRate: number): Promise<AudioBuffer> {
  return new OfflineAudioContext(1, 1, sampleRate).decodeAudioData(wav);
}
