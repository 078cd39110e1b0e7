import { constants } from "node:fs";
import { access, unlink } from "node:fs/promises";
import {
  CHANGE_LIMITS,
  MODEL_SUFFIXES,
  type ModelEntry,
  type ModelMetadata,
  readMetadata,
  SdaError,
} from "small-dataset-audio";
import { Value } from "typebox/value";
import { badRequest, Problem } from "../problem.js";
import { type Received, receiveForm, tooLarge } from "../receive.js";
import { ModelSchema, problems, UploadFields } from "../schemas.js";
import type { Service } from "../service.js";
import { checkRoom } from "../upload-folder.js";
import type { Api } from "./api.js";
import { sendModel } from "./send-model.js";

/** Room for everything in a form except its file. */
const FORM_BYTES = 1024 * 1024;

interface Texts {
  name?: string;
  description?: string;
  tags?: string[];
}

/** The route that adds an uploaded file to the library. */
export function uploadRoutes(api: Api, service: Service): void {
  const { facts, library, requests, uploads, uploadFolder } = service;
  const { modelsDir, limits, prefix } = service.options;

  api.register(async (scope) => {
    // Passes the body on unread: the handler reads it when its turn comes.
    scope.addContentTypeParser("multipart/form-data", (_request, payload, done) =>
      done(null, payload),
    );
    scope.post(
      "/models",
      {
        config: { sdaAction: "write" },
        schema: {
          operationId: "addModel",
          summary:
            "Adds a model file (.sda, .distill, .distillgan), or converts a training checkpoint " +
            "(.pt) to a model",
          description:
            "multipart/form-data with the fields file, name, description and tags (repeatable). " +
            "The content of the file decides its kind, not its name.",
          tags: ["library"],
          consumes: ["multipart/form-data"],
          response: { 201: ModelSchema, ...problems },
        },
      },
      async (request, reply) => {
        if (!/^multipart\/form-data/i.test(request.headers["content-type"] ?? "")) {
          throw new Problem(415, "ERR_FORM", "Send the file as multipart/form-data.");
        }
        const declared = Number(request.headers["content-length"] ?? 0);
        if (declared > limits.maxUploadBytes + FORM_BYTES) throw tooLarge(limits.maxUploadBytes);
        const { signal } = requests.signal(request, reply, limits.uploadTimeoutMs);
        const entry = await uploads.run(signal, async () => {
          await library.current(); // 503 if the folder is missing
          await access(modelsDir, constants.W_OK);
          const folder = uploadFolder.path;
          for (const place of [folder, modelsDir]) await checkRoom(place, declared);
          const form = await receiveForm(request.raw, folder, limits.maxUploadBytes, signal);
          try {
            return await add(form, signal);
          } finally {
            await unlink(form.path).catch(() => {}); // another program may have removed it
          }
        });
        const file = await facts.find(await library.current(), entry.modelId);
        reply.code(201).header("etag", file.etag);
        reply.header("location", `${prefix}/models/${encodeURIComponent(entry.modelId)}`);
        return sendModel(reply, file, await facts.describe(file));
      },
    );
  });

  async function add(form: Received, signal: AbortSignal): Promise<ModelEntry> {
    const given = textsOf(form.fields);
    try {
      const own = await ownMetadata(form.path);
      if (own !== null) checkLengths({ ...own, ...given });
      // A model file contains a name. A checkpoint has none and is named after its file.
      const name = given.name ?? (own === null ? stemOf(form.fileName) : undefined);
      const metadata = { ...given, ...(name && { name }) };
      return await library.write((models) => models.import(form.path, { metadata, signal }));
    } catch (error) {
      if (error instanceof SdaError && error.code === "ERR_SDA_FORMAT") {
        const suffixes = MODEL_SUFFIXES.join(", ");
        const detail = `The file is neither a model (${suffixes}) nor a training checkpoint (.pt).`;
        throw new Problem(415, error.code, detail, { option: "file", cause: error });
      }
      throw error;
    }
  }
}

/** The metadata in a model file; null for any other file, which `importModel` checks itself. */
async function ownMetadata(path: string): Promise<ModelMetadata | null> {
  try {
    return await readMetadata(path);
  } catch {
    return null;
  }
}

/** Longest text of a field that `CHANGE_LIMITS` does not name. */
const MAX_FACT = 1000;

/** Applies the limits of typed texts to those in a file, because lists contain all of them. */
function checkLengths({ tags, ...metadata }: ModelMetadata): void {
  const limits: Record<string, number> = CHANGE_LIMITS;
  for (const [field, value] of Object.entries(metadata)) {
    if (typeof value === "string") checkLength(field, value.length, limits[field] ?? MAX_FACT);
  }
  checkLength("tags", tags.length, CHANGE_LIMITS.tags);
  for (const tag of tags) checkLength("tags", tag.length, CHANGE_LIMITS.tag);
}

function checkLength(field: string, length: number, most: number): void {
  if (length <= most) return;
  const detail = `The model's ${field} is too long; send another one.`;
  throw new Problem(422, "ERR_SDA_LIMIT", detail, { option: field });
}

function stemOf(fileName: string): string {
  const stem = fileName.replace(/^.*[/\\]/s, "").replace(/\.[^.]*$/, "");
  const printable = stem.replace(/[\p{C}\p{Surrogate}]/gu, " ").trim();
  return printable.slice(0, CHANGE_LIMITS.name);
}

function textsOf(fields: Map<string, string[]>): Texts {
  const given: [string, unknown][] = [];
  for (const [name, values] of fields) {
    if (name !== "tags" && values.length > 1)
      throw badRequest(name, "The form has this field twice.");
    given.push([name, name === "tags" ? values : values[0]]);
  }
  const texts: Record<string, unknown> = Object.fromEntries(given);
  if (texts["name"] === "") delete texts["name"];
  if (Array.isArray(texts["tags"]))
    texts["tags"] = texts["tags"].filter((tag) => tag.trim() !== "");
  const [error] = Value.Errors(UploadFields, texts);
  if (error !== undefined) {
    const option = error.instancePath
      .split("/")[1]
      ?.replace(/[^\w.-]/g, "_")
      .slice(0, 100);
    throw badRequest(option || "file", "A field of the form is unknown or not valid.");
  }
  return texts as Texts;
}
