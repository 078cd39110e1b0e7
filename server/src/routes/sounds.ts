import { etagOf } from "../etag.js";
import { UNCOMPRESSED } from "../headers.js";
import { notFound } from "../problem.js";
import { sendContent } from "../ranges.js";
import { problems, SoundParams, SoundQuery } from "../schemas.js";
import type { Service } from "../service.js";
import type { Sound } from "../sounds.js";
import { type Api, binary } from "./api.js";

/** Routes of finished sounds in memory. */
export function soundRoutes(api: Api, { sounds }: Service): void {
  const find = (id: string): Sound => {
    const sound = sounds.get(id);
    if (sound === undefined)
      throw notFound("sound", "It may have been removed from memory; generate it again.");
    return sound;
  };

  api.get(
    "/sounds/:soundId",
    {
      ...UNCOMPRESSED,
      schema: {
        operationId: "getSound",
        summary: "Returns a finished sound as a WAV file, or a range of it",
        tags: ["sound"],
        params: SoundParams,
        querystring: SoundQuery,
        response: {
          200: binary("audio/wav", "The sound"),
          206: binary("audio/wav", "The requested range"),
          ...problems,
        },
      },
    },
    async (request, reply) => {
      const { bitDepth = 24 } = request.query;
      const sound = find(request.params.soundId);
      const wav = await sounds.wav(sound, bitDepth);
      reply.header("x-seed", sound.seed);
      return sendContent(request, reply, {
        type: "audio/wav",
        size: wav.length,
        etag: etagOf(sound.id, String(bitDepth)),
        immutable: true,
        open: (start, end) => wav.subarray(start, end),
      });
    },
  );

  api.get(
    "/sounds/:soundId/mel.png",
    {
      schema: {
        operationId: "getMelPicture",
        summary: "Returns the mel spectrogram of a finished sound as a picture",
        tags: ["sound"],
        params: SoundParams,
        response: { 200: binary("image/png", "The picture"), ...problems },
      },
    },
    async (request, reply) => {
      const { id, mel } = find(request.params.soundId);
      return sendContent(request, reply, {
        type: "image/png",
        size: mel.png.length,
        etag: etagOf(id, "mel"),
        immutable: true,
        open: (start, end) => Buffer.from(mel.png.subarray(start, end)),
      });
    },
  );
}
