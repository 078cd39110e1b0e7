import { randomInt } from "node:crypto";
import { addAbortSignal, Readable } from "node:stream";
import { finished } from "node:stream/promises";
import type { FastifyReply, FastifyRequest } from "fastify";
import Negotiator from "negotiator";
import {
  type BitDepth,
  GENERATION_LIMITS,
  type GenerateOptions,
  type LoadedModel,
  melPicture,
  readMetadata,
  wavBytes,
  wavStream,
} from "small-dataset-audio";
import { attachment } from "../file-name.js";
import { UNCOMPRESSED } from "../headers.js";
import { identityOf, type ModelPlace } from "../model-facts.js";
import { paced } from "../paced.js";
import { badRequest, Problem } from "../problem.js";
import { interleaved, peaksOf } from "../samples.js";
import {
  GenerateBody,
  GenerateQuery,
  type GenerateRequest,
  ModelParams,
  problems,
  SoundSchema,
} from "../schemas.js";
import type { Service } from "../service.js";
import { type Sound, soundId } from "../sounds.js";
import type { Place } from "../work.js";
import type { Api } from "./api.js";

/** Number of spans of a channel's peaks. */
const SPANS = 1000;
/** Pixels: wide enough for a page, and small enough to keep many pictures in memory. */
const MEL_WIDTH = 1024;
const CLIENT_ID = /^[A-Za-z0-9_-]{1,64}$/;

type Format = "wav" | "float32" | "json";

/** Formats by media type. The first one wins where a client prefers none. */
const FORMATS: Readonly<Record<string, Format>> = {
  "audio/wav": "wav",
  "application/json": "json",
  "application/octet-stream": "float32",
};
/** Older names of audio/wav, which clients still send in `Accept`. */
const OTHER_WAV_TYPES = /\baudio\/(x-wav|wave|vnd\.wave)(?=\s*(;|,|$))/gi;

interface Job {
  service: Service;
  request: FastifyRequest;
  reply: FastifyReply;
  file: ModelPlace;
  options: GenerateOptions & { seed: number };
  bitDepth: BitDepth;
  controller: AbortController;
  place: Place;
}

/** The route that generates sound. */
export function generateRoutes(api: Api, service: Service): void {
  const { facts, library, requests, work } = service;
  const { limits } = service.options;

  api.post(
    "/models/:id/generate",
    {
      ...UNCOMPRESSED,
      config: { sdaAction: "generate" },
      preValidation: async (request) => {
        // A request without a body uses the default options.
        if (request.body === undefined) request.body = {};
      },
      schema: {
        operationId: "generate",
        summary:
          "Generates sound: a stream of WAV or float32 samples, or JSON about a finished sound",
        tags: ["sound"],
        params: ModelParams,
        querystring: GenerateQuery,
        body: GenerateBody,
        response: {
          200: {
            description: "The sound",
            content: {
              "audio/wav": { schema: { type: "string", format: "binary" } },
              "application/octet-stream": { schema: { type: "string", format: "binary" } },
              "application/json": { schema: SoundSchema },
            },
          },
          ...problems,
        },
      },
    },
    async (request, reply) => {
      const format = request.query.format ?? acceptedFormat(request.headers.accept);
      const { bitDepth = 24, ...asked } = request.body;
      const options = toOptions(asked, limits.maxDurationS);
      const controller = requests.signal(request, reply, limits.timeoutMs);
      const { id } = request.params;
      const file = await facts.locate(await library.recent(id), id);
      const job = { service, request, reply, file, options, bitDepth, controller };
      await work.run(controller.signal, (place) => produce({ ...job, place }, format));
      return reply;
    },
  );
}

/** Sends the sound while it is generated. Loudness "peak" needs the whole sound first. */
async function produce(job: Job, format: Format): Promise<void> {
  const { service, reply, file, options, bitDepth, controller, place } = job;
  if (format === "json") {
    const sound = await soundOf(job);
    reply.type("application/json; charset=utf-8").send(JSON.stringify(described(sound, service)));
    return;
  }
  if (options.loudness === "peak") {
    const sound = await soundOf(job);
    sendHeaders(job, format, sound, sound.audio[0]?.length ?? 0);
    if (format === "wav") reply.send(await service.sounds.wav(sound, bitDepth));
    else reply.send(bytesOf(interleaved(sound.audio)));
    const { lendAfterMs, stallTimeoutMs } = service.options.limits;
    const lend = setTimeout(() => place.lend(() => reply.raw.destroy()), lendAfterMs);
    await service.requests.sent(reply, stallTimeoutMs);
    clearTimeout(lend);
    return;
  }
  await service.use(file, controller.signal, async (model) => {
    checkPoint(options, model);
    await stream(job, format, model);
  });
}

async function stream(job: Job, format: "wav" | "float32", model: LoadedModel): Promise<void> {
  const { service, reply, options, bitDepth, controller, place } = job;
  const shape = model.audioFormat(options);
  const pieces = model.stream({ ...withProgress(job), signal: controller.signal });
  const bytes = format === "wav" ? wavStream(pieces, { ...shape, bitDepth }) : rawStream(pieces);
  const first = await bytes.next(); // an error of the first piece still gets its own status
  sendHeaders(job, format, shape, shape.frames);
  const body = Readable.from(paced(first, bytes, place, service.options.limits, controller));
  // A generator that waits for its reader does not notice an abort.
  addAbortSignal(controller.signal, body);
  reply.send(body);
  try {
    await finished(body);
    service.metrics.generated(shape.frames / shape.sampleRate);
  } catch {
    // The status is already sent. Fastify cuts the body short, which tells the client.
  }
}

function sendHeaders(
  { reply, file, options, bitDepth }: Job,
  format: "wav" | "float32",
  { sampleRate, channels }: { sampleRate: number; channels: number },
  frames: number,
): void {
  const isWav = format === "wav";
  const length = isWav
    ? wavBytes({ sampleRate, channels, frames, bitDepth })
    : frames * channels * Float32Array.BYTES_PER_ELEMENT;
  reply.headers({
    "content-type": isWav ? "audio/wav" : "application/octet-stream",
    "content-length": length,
    "content-disposition": attachment(`${file.entry.name}_${options.seed}`, isWav ? "wav" : "f32"),
    "cache-control": "no-store",
    "x-seed": options.seed,
    "x-sample-rate": sampleRate,
    "x-channels": channels,
    "x-frames": frames,
  });
}

/** Returns the finished sound from memory, or generates and keeps it. */
async function soundOf(job: Job): Promise<Sound> {
  const { service, file, options, controller } = job;
  const { signal } = controller;
  const identity = await identityOf(file.path);
  const { generation } = await readMetadata(file.path);
  const id = soundId(identity, options, generation);
  const known = service.sounds.get(id);
  if (known) return known;
  return service.use(file, signal, async (model) => {
    checkPoint(options, model);
    const made = await model.generate({ ...withProgress(job), signal });
    const mel = await melPicture(made, model, { maxWidth: MEL_WIDTH, signal });
    const peaks = made.audio.map((channel) => peaksOf(channel, SPANS));
    const sound: Sound = { ...made, id, peaks, mel };
    service.sounds.add(sound);
    service.metrics.generated(made.durationS);
    return sound;
  });
}

function described(sound: Sound, service: Service) {
  const { id, sampleRate, channels, durationS, seed, quality, peaks, mel } = sound;
  const url = `${service.options.prefix}/sounds/${id}`;
  return {
    soundId: id,
    url,
    sampleRate,
    channels,
    frames: sound.audio[0]?.length ?? 0,
    durationS,
    seed,
    quality,
    peaks,
    mel: { width: mel.width, height: mel.height, url: `${url}/mel.png` },
  };
}

function withProgress({ service, request, reply, options }: Job): GenerateOptions {
  const clientId = request.headers["x-client-id"];
  if (typeof clientId !== "string" || !CLIENT_ID.test(clientId)) return options;
  const requestId = reply.getHeader("x-request-id");
  return {
    ...options,
    onProgress: (done, total) =>
      service.events.send("progress", { requestId, done, total }, clientId),
  };
}

function toOptions(
  { latent, seed = drawSeed(), ...asked }: Omit<GenerateRequest, "bitDepth">,
  maxDurationS: number,
): GenerateOptions & { seed: number } {
  const { durationS = 1, sliders } = asked;
  if (durationS > maxDurationS) {
    throw badRequest("durationS", `durationS must be at most ${maxDurationS} seconds.`);
  }
  if (latent !== undefined && sliders !== undefined) {
    throw badRequest("sliders", "Send sliders or latent, not both.");
  }
  const options = { ...asked, seed } as GenerateOptions & { seed: number };
  if (latent === undefined) return options;
  const point = Float32Array.from(latent);
  if (!point.every(Number.isFinite)) {
    throw badRequest("latent", "latent must be finite numbers within the range of float32.");
  }
  return { ...options, latent: point };
}

function drawSeed(): number {
  const { min, max } = GENERATION_LIMITS.drawnSeed;
  return randomInt(min, max + 1);
}

/** Checks sliders and latent against the model. */
function checkPoint({ sliders, latent }: GenerateOptions, model: LoadedModel): void {
  const { latentDim } = model.model;
  if (latent !== undefined && latent.length !== latentDim) {
    throw badRequest("latent", `latent must have ${latentDim} numbers.`);
  }
  if (sliders === undefined) return;
  const { analysis } = model;
  if (analysis === null) {
    throw badRequest("sliders", "This model has no analysis, so it has no sliders.");
  }
  const half = Math.floor(analysis.nSteps / 2);
  const count = analysis.nActiveComponents;
  if (sliders.length !== count || !sliders.every((position) => Math.abs(position) <= half)) {
    const expected = `${count} whole numbers from ${-half} to ${half}`;
    throw badRequest("sliders", `sliders must be ${expected}.`);
  }
}

/** @throws Problem 406 */
function acceptedFormat(accept = "*/*"): Format {
  const headers = { accept: accept.replace(OTHER_WAV_TYPES, "audio/wav") };
  const type = new Negotiator({ headers }).mediaType(Object.keys(FORMATS));
  const format = type === undefined ? undefined : FORMATS[type];
  if (format !== undefined) return format;
  const offered = Object.keys(FORMATS).join(", ");
  throw new Problem(406, "ERR_NOT_ACCEPTABLE", `The response can be ${offered}.`);
}

async function* rawStream(pieces: AsyncIterable<Float32Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) yield bytesOf(piece);
}

/** The bytes of samples: little-endian, because all platforms of the engine are. */
function bytesOf(samples: Float32Array): Buffer {
  return Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
}
