/**
 * Uses the package's declarations in an application with the web's types (Next.js, Hono). Results
 * go into `Blob`, `Response` and `AudioBuffer` without a cast. `npm run typecheck` compiles this
 * file. It is never run.
 */
import {
  type LoadedModel,
  type ModelCache,
  melPicture,
  resample,
  type Sound,
  toWav,
  wavByteLength,
  wavStream,
} from "small-dataset-audio";

export async function chunksOfAStream(model: LoadedModel): Promise<Blob> {
  const samples = [];
  for await (const piece of model.stream()) samples.push(piece);
  return new Blob(samples);
}

export async function chunksOfAWavFile(model: LoadedModel): Promise<Blob> {
  const parts = [];
  for await (const part of wavStream(model.stream(), { bitDepth: 16 })) parts.push(part);
  return new Blob(parts, { type: "audio/wav" });
}

export async function aWholeSound(model: LoadedModel): Promise<Blob[]> {
  const sound = await model.generate();
  const picture = await melPicture(sound, model);
  const [first = new Float32Array()] = sound.audio;
  const other = await resample(first, sound.sampleRate, 8000);
  const latent = model.slidersToLatent([]);
  return [toWav(sound), picture.png, first, other, latent].map((part) => new Blob([part]));
}

export async function response(cache: ModelCache, request: Request): Promise<Response> {
  const sound = await cache.stream("pads.sda", { signal: request.signal });
  const length = String(wavByteLength(sound.format));
  return new Response(wavStream(sound).toReadableStream(), {
    headers: { "Content-Type": "audio/wav", "Content-Length": length },
  });
}

export async function inABrowser(model: LoadedModel, buffer: AudioBuffer): Promise<void> {
  const { audio } = await model.generate();
  audio.forEach((channel, i) => {
    buffer.copyToChannel(channel, i);
  });
}

/** Sound from the application may use any kind of buffer. */
export function shared(buffer: SharedArrayBuffer): Blob {
  const sound: Sound = { audio: [new Float32Array(buffer)], sampleRate: 48000 };
  return new Blob([toWav(sound)]);
}
