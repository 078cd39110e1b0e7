/** Records the samples that a page plays, taken where it hands them to Web Audio. */
import type { Page } from "@playwright/test";

export interface Heard {
  sampleRate: number;
  channels: Float32Array[];
  loop: boolean;
  /** Seconds */
  offset: number;
}

type Source = AudioBufferSourceNode & { offset: number };
type Recorder = { heard: Source[] };

/** Runs in the page before its own scripts. */
export function recordSounds(): void {
  const window = globalThis as unknown as Recorder;
  window.heard = [];
  const { start } = AudioBufferSourceNode.prototype;
  AudioBufferSourceNode.prototype.start = function (when = 0, offset = 0, duration) {
    window.heard.push(Object.assign(this, { offset }));
    if (duration === undefined) start.call(this, when, offset);
    else start.call(this, when, offset, duration);
  };
}

/** How many times the page has started a sound. */
export function timesHeard(page: Page): Promise<number> {
  return page.evaluate(() => (globalThis as unknown as Recorder).heard.length);
}

/** Waits for the `times`th sound that the page starts and returns it. */
export async function heard(page: Page, times: number): Promise<Heard> {
  await page.waitForFunction((n) => (globalThis as unknown as Recorder).heard.length >= n, times);
  const { channels, ...rest } = await page.evaluate(async (n) => {
    const source = (globalThis as unknown as Recorder).heard[n - 1];
    if (!source?.buffer) throw new Error("nothing to play");
    const { buffer, loop, offset } = source;
    // As Base64, because transferring an array of numbers takes seconds
    const base64 = (samples: Float32Array<ArrayBuffer>) =>
      new Promise<string>((resolve) => {
        const reader = new FileReader();
        reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ""));
        reader.readAsDataURL(new Blob([samples]));
      });
    const channels = await Promise.all(
      Array.from({ length: buffer.numberOfChannels }, (_, i) => base64(buffer.getChannelData(i))),
    );
    return { sampleRate: buffer.sampleRate, channels, loop, offset };
  }, times);
  return { ...rest, channels: channels.map(floatsOf) };
}

function floatsOf(base64: string): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(base64, "base64"));
  return new Float32Array(bytes.buffer);
}
