import type { IncomingMessage } from "node:http";
import { type LoadedModel, latentToSliders, resample, Tensor } from "small-dataset-audio";
import { Problem } from "../problem.js";
import { EncodingSchema, ModelParams, problems } from "../schemas.js";
import type { Service } from "../service.js";
import { type MonoSound, readWav } from "../wav-reader.js";
import type { Api } from "./api.js";

const WAV_TYPES = ["audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"];

interface Encoded {
  mu: number[];
  logvar: number[];
  /** The nearest slider positions; null without analysis */
  positions: number[] | null;
}

/** The route that encodes a sound to points in the latent space. */
export function encodeRoutes(api: Api, service: Service): void {
  const { facts, library, received, requests, work } = service;
  const { limits } = service.options;

  api.register(async (scope) => {
    // Passes the body on unread: the handler reads it when its turn comes.
    scope.addContentTypeParser(WAV_TYPES, (_request, payload, done) => done(null, payload));
    (scope as unknown as Api).post(
      "/models/:id/encode",
      {
        config: { sdaAction: "generate" },
        schema: {
          operationId: "encode",
          summary: "Encodes a sound: latents for each second, and the nearest slider positions",
          description:
            "The body is a WAV file of at most 60 seconds. The top level of the response has the " +
            "means of the chunks' mu and logvar, and the positions nearest to the mean mu.",
          tags: ["sound"],
          consumes: WAV_TYPES,
          params: ModelParams,
          response: { 200: EncodingSchema, ...problems },
        },
      },
      async (request, reply) => {
        if (request.body === undefined || request.headers["content-type"] === undefined) {
          throw new Problem(415, "ERR_SDA_FORMAT", "Send a WAV file as audio/wav.");
        }
        const { signal } = requests.signal(request, reply, limits.timeoutMs);
        const file = await facts.find(await library.current(), request.params.id);
        if (!(await facts.describe(file)).hasEncoder) throw noEncoder();
        const declared = Number(request.headers["content-length"] ?? 0);
        if (declared > limits.maxWavBytes) throw tooLarge(limits.maxWavBytes);
        work.admit();
        const encoding = await received.run(signal, async () => {
          const { maxWavBytes, stallTimeoutMs } = limits;
          const wav = await readBody(request.raw, maxWavBytes, stallTimeoutMs, signal);
          return work.runAdmitted(signal, async () => {
            const sound = await readWav(wav);
            return service.use(file, signal, (model) => encode(sound, model, signal));
          });
        });
        return reply.send(encoding);
      },
    );
  });
}

async function encode(given: MonoSound, model: LoadedModel, signal: AbortSignal) {
  const { sampleRate } = model.spectrogram.config;
  const sound = await atRate(given, sampleRate, signal);
  const chunks: (Encoded & { startS: number })[] = [];
  for (let start = 0; start < sound.length; start += sampleRate) {
    const chunk = new Float32Array(sampleRate); // silence fills the last chunk
    chunk.set(sound.subarray(start, start + sampleRate));
    const waveform = new Tensor("float32", [1, 1, sampleRate], chunk);
    const mel = await model.spectrogram.waveformToMel(waveform, { signal });
    const { mu, logvar } = await model.model.encode(mel, { signal });
    const latents = [mu.data as Float32Array, logvar.data as Float32Array] as const;
    chunks.push({ startS: start / sampleRate, ...encoded(model, ...latents) });
  }
  const mean = (name: "mu" | "logvar") => meanOf(chunks.map((chunk) => chunk[name]));
  return { sampleRate, chunks, ...encoded(model, mean("mu"), mean("logvar")) };
}

async function atRate({ samples, sampleRate }: MonoSound, rate: number, signal: AbortSignal) {
  return sampleRate === rate ? samples : resample(samples, sampleRate, rate, { signal });
}

function encoded({ analysis }: LoadedModel, mu: Float32Array, logvar: Float32Array): Encoded {
  return {
    mu: Array.from(mu),
    logvar: Array.from(logvar),
    positions: analysis === null ? null : latentToSliders(analysis, mu),
  };
}

function meanOf(vectors: readonly number[][]): Float32Array {
  return Float32Array.from(
    vectors[0] ?? [],
    (_, d) => vectors.reduce((sum, vector) => sum + (vector[d] as number), 0) / vectors.length,
  );
}

/** Reads a body. On failure the request stays open, so that its sender gets a response. */
function readBody(
  request: IncomingMessage,
  maxBytes: number,
  stallTimeoutMs: number,
  signal: AbortSignal,
): Promise<Buffer> {
  return new Promise((done, fail) => {
    const parts: Buffer[] = [];
    let size = 0;
    const stall = () =>
      refuse(new Problem(408, "ERR_TIMEOUT", "No further bytes of the file arrived in time."));
    const timer = setTimeout(stall, stallTimeoutMs);
    const settle = (end: () => void) => {
      clearTimeout(timer);
      request.off("data", take).off("end", complete).off("error", refuse);
      signal.removeEventListener("abort", stop);
      end();
    };
    const take = (part: Buffer) => {
      timer.refresh();
      size += part.length;
      parts.push(part);
      if (size > maxBytes) refuse(tooLarge(maxBytes));
    };
    const complete = () => settle(() => done(Buffer.concat(parts, size)));
    const refuse = (error: Error) => settle(() => fail(error));
    const stop = () => refuse(signal.reason);
    if (signal.aborted) return stop();
    signal.addEventListener("abort", stop, { once: true });
    request.on("data", take).on("end", complete).on("error", refuse);
  });
}

function tooLarge(maxBytes: number): Problem {
  const detail = `The WAV file is too large: the limit is ${maxBytes} bytes.`;
  return new Problem(413, "ERR_TOO_LARGE", detail);
}

function noEncoder(): Problem {
  const detail = "This model has no encoder, so it cannot encode sounds.";
  return new Problem(409, "ERR_SDA_ARGUMENT", detail);
}
