import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { unlink } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { Busboy, type BusboyFileStream, type BusboyInstance } from "@fastify/busboy";
import { badRequest, Problem } from "./problem.js";

export interface Received {
  /** Of the file as it was sent, in `folder` */
  path: string;
  /** The file's name where it came from, whatever it was: for people alone */
  fileName: string;
  fields: Map<string, string[]>;
}

const MAX_FIELDS = 110;
const MAX_FIELD_BYTES = 64 * 1024;

/**
 * Takes a form with one file from a request, the file to disk as it comes. Nothing of it is left when that fails.
 *
 * @throws Problem 400, 413; the signal's reason; what the file system says
 */
export async function receiveForm(
  request: IncomingMessage,
  folder: string,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Received> {
  const path = join(folder, `${randomUUID()}.tmp`);
  try {
    return await receiveTo(path, request, maxBytes, signal);
  } catch (error) {
    await unlink(path).catch(() => {}); // it may not have come to be
    throw error;
  }
}

async function receiveTo(
  path: string,
  request: IncomingMessage,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Received> {
  const fields = new Map<string, string[]>();
  const form = parserOf(request, maxBytes);
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  const refuse = (problem: Problem) => failed.abort(problem);
  let fileName: string | undefined;
  let saved: Promise<void> = Promise.resolve();

  form.on("field", (name, value, nameTruncated, valueTruncated) => {
    if (nameTruncated || valueTruncated) refuse(badRequest(shown(name), "A field is too long."));
    else fields.set(name, [...(fields.get(name) ?? []), value]);
  });
  form.on("fieldsLimit", () => refuse(badRequest("tags", "The form has too many fields.")));
  form.on("filesLimit", () => refuse(badRequest("file", "Send one file at a time.")));
  form.on("file", (name: string, stream: BusboyFileStream, given: string | undefined) => {
    if (name !== "file") refuse(badRequest(shown(name), "The file must be in the field file."));
    fileName = given ?? "";
    stream.once("limit", () => refuse(tooLarge(maxBytes)));
    saved = pipeline(stream, createWriteStream(path, { flags: "wx", mode: 0o600 }), {
      signal: stop,
    });
    saved.catch((error) => failed.abort(told(error)));
  });
  try {
    await feed(request, form, stop);
    await saved;
    stop.throwIfAborted();
  } catch (error) {
    await saved.catch(() => {});
    stop.throwIfAborted();
    throw told(error);
  }
  if (fileName === undefined) throw badRequest("file", "The form has no file.");
  return { path, fileName, fields };
}

/** What the system says is the server's trouble; all else is the form's. */
function told(cause: unknown): unknown {
  if ((cause as NodeJS.ErrnoException).syscall !== undefined) return cause;
  return new Problem(400, "ERR_FORM", "The form is damaged or was cut off.", { cause });
}

/** Leaves the request as it is when that fails: its sender is to be answered. */
async function feed(
  request: IncomingMessage,
  form: BusboyInstance,
  signal: AbortSignal,
): Promise<void> {
  const stopped = new AbortController();
  signal.addEventListener("abort", () => stopped.abort(), { once: true, signal: stopped.signal });
  try {
    const finished = once(form, "finish", { signal: stopped.signal });
    if (signal.aborted) stopped.abort();
    request.pipe(form);
    await finished;
  } finally {
    stopped.abort();
    request.unpipe(form);
    if (!form.writableFinished) form.destroy();
  }
}

function parserOf(request: IncomingMessage, maxBytes: number): BusboyInstance {
  try {
    return new Busboy({
      headers: { ...request.headers, "content-type": request.headers["content-type"] ?? "" },
      limits: {
        fields: MAX_FIELDS,
        fieldSize: MAX_FIELD_BYTES,
        files: 1,
        fileSize: maxBytes,
        headerPairs: 20,
      },
    });
  } catch (cause) {
    throw new Problem(400, "ERR_FORM", "The form does not say where its parts end.", { cause });
  }
}

export function tooLarge(maxBytes: number): Problem {
  const detail = `The file is too large: ${maxBytes} bytes are taken at most.`;
  return new Problem(413, "ERR_TOO_LARGE", detail, { option: "file" });
}

/** A name from a stranger, as far as it is a name. */
function shown(name: string): string {
  return name.replace(/[^\w.-]/g, "_").slice(0, 100);
}
