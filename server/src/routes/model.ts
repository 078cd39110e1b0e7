import { type FileHandle, open } from "node:fs/promises";
import { extname } from "node:path";
import type { FastifyReply, FastifyRequest } from "fastify";
import { checkIfMatch, etagOf, notModified, sendJson } from "../etag.js";
import { attachment } from "../file-name.js";
import { UNCOMPRESSED } from "../headers.js";
import { OneAtATime } from "../one-at-a-time.js";
import { badRequest, notFound } from "../problem.js";
import { sendContent } from "../ranges.js";
import { endWithConnection } from "../request-signal.js";
import { ChangesBody, ModelParams, ModelSchema, problems, SlidersSchema } from "../schemas.js";
import type { Service } from "../service.js";
import { type Api, binary } from "./api.js";
import { sendModel } from "./send-model.js";

/** Routes of one model: its facts, its texts, its sliders and its file. */
export function modelRoutes(api: Api, service: Service): void {
  const { facts, library, requests } = service;
  const { limits } = service.options;
  const changes = new OneAtATime();
  const find = async (id: string) => facts.find(await library.current(), id);

  api.get(
    "/models/:id",
    {
      schema: {
        operationId: "getModel",
        summary: "Returns a model",
        tags: ["model"],
        params: ModelParams,
        response: { 200: ModelSchema, ...problems },
      },
    },
    async (request, reply) => {
      const file = await find(request.params.id);
      if (notModified(request, reply, file.etag)) return reply;
      return sendModel(reply, file, await facts.describe(file));
    },
  );

  api.patch(
    "/models/:id",
    {
      config: { sdaAction: "write" },
      schema: {
        operationId: "updateModel",
        summary: "Changes name, description, tags or slider labels, in the file and in the library",
        tags: ["model"],
        params: ModelParams,
        body: ChangesBody,
        response: { 200: ModelSchema, ...problems },
      },
    },
    (request, reply) => {
      const { id } = request.params;
      // One change of a model at a time: of two with the same If-Match, the second one gets 412.
      return changes.run(id, async () => {
        const before = await find(id);
        checkIfMatch(request, before.etag);
        checkNotBlank(request.body);
        const { signal } = requests.signal(request, reply, limits.timeoutMs);
        await library.write((models) => models.update(id, request.body, { signal }));
        const file = await find(id);
        reply.header("etag", file.etag);
        return sendModel(reply, file, await facts.describe(file));
      });
    },
  );

  api.delete(
    "/models/:id",
    {
      config: { sdaAction: "write" },
      schema: {
        operationId: "deleteModel",
        summary: "Deletes a model: its file and its entry",
        tags: ["model"],
        params: ModelParams,
        response: { 204: { type: "null", description: "The model is deleted" }, ...problems },
      },
    },
    (request, reply) => {
      const { id } = request.params;
      return changes.run(id, async () => {
        if (request.headers["if-match"] !== undefined) {
          checkIfMatch(request, (await find(id)).etag);
        }
        const { signal } = requests.signal(request, reply, limits.timeoutMs);
        const isDeleted = await library.write((models) => models.delete(id, { signal }));
        if (!isDeleted) throw notFound("model");
        return reply.code(204).send(null);
      });
    },
  );

  api.get(
    "/models/:id/sliders",
    {
      schema: {
        operationId: "getSliders",
        summary: "Returns the sliders of a model",
        tags: ["model"],
        params: ModelParams,
        response: { 200: SlidersSchema, ...problems },
      },
    },
    async (request, reply) => {
      const file = await find(request.params.id);
      const { analysis, sliders } = await facts.describe(file);
      const half = analysis === null ? 0 : Math.floor(analysis.nSteps / 2);
      return sendJson(request, reply, { modelId: file.entry.modelId, half, sliders });
    },
  );

  api.get(
    "/models/:id/file",
    {
      ...UNCOMPRESSED,
      schema: {
        operationId: "getModelFile",
        summary: "Returns a model's file, or a range of it",
        tags: ["model"],
        params: ModelParams,
        response: {
          200: binary("application/octet-stream", "The model file"),
          206: binary("application/octet-stream", "The requested range"),
          ...problems,
        },
      },
    },
    async (request, reply) => {
      const { entry, path } = await find(request.params.id);
      const suffix = extname(entry.filePath).toLowerCase();
      const handle = await open(path, "r");
      try {
        return await sendFile(
          request,
          reply,
          handle,
          attachment(entry.name, suffix.slice(1) || "sda"),
        );
      } catch (error) {
        await handle.close();
        throw error;
      }
    },
  );
}

/** Sends an open file, even if its path is deleted or replaced meanwhile. */
async function sendFile(
  request: FastifyRequest,
  reply: FastifyReply,
  handle: FileHandle,
  disposition: string,
): Promise<FastifyReply> {
  const { dev, ino, size, mtimeNs } = await handle.stat({ bigint: true });
  let opened = false;
  reply.header("content-disposition", disposition);
  const sent = sendContent(request, reply, {
    type: "application/octet-stream",
    size: Number(size),
    etag: etagOf([dev, ino, size, mtimeNs].join(":")),
    open(start, end) {
      opened = true;
      if (start === end) {
        opened = false;
        return Buffer.alloc(0);
      }
      const stream = handle.createReadStream({ start, end: end - 1 });
      endWithConnection(stream, request.raw.socket);
      return stream;
    },
  });
  if (!opened) await handle.close();
  return sent;
}

/** The library checks this as well, but its error messages name the file. */
function checkNotBlank({ name, tags = [] }: { name?: string; tags?: string[] }): void {
  if (name?.trim() === "") throw badRequest("name", "name must not be blank.");
  if (tags.some((tag) => tag.trim() === "")) throw badRequest("tags", "A tag must not be blank.");
}
