/**
 * Multipart forms. The parser is used directly, because @fastify/multipart was tried and cannot be
 * registered again in an application that has registered it (FST_ERR_DEC_ALREADY_PRESENT).
 */
import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { unlink } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Busboy, type BusboyFileStream, type BusboyInstance } from "@fastify/busboy";
import { badRequest, Problem } from "./problem.js";

export interface Received {
  /** Path of the file as it was sent, in `folder` */
  path: string;
  /** The client's name for the file. Any text: never use it as a path */
  fileName: string;
  fields: Map<string, string[]>;
}

const MAX_FIELDS = 110;
const MAX_FIELD_BYTES = 64 * 1024;

/**
 * Reads a form with one file from a request and streams the file to disk. When that fails, the
 * file is removed.
 *
 * @throws Problem 400, 413; the signal's reason; the file system's error
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
    await unlink(path).catch(() => {}); // the file may not have been created yet
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
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  const fail = (error: unknown) => failed.abort(error);
  let fileName: string | undefined;
  let saved: Promise<void> = Promise.resolve();

  const form = parserOf(request, maxBytes);
  form.on("field", (name, value, nameTruncated, valueTruncated) => {
    if (nameTruncated || valueTruncated) fail(badRequest(shown(name), "A field is too long."));
    else fields.set(name, [...(fields.get(name) ?? []), value]);
  });
  form.on("fieldsLimit", () => fail(badRequest("tags", "The form has too many fields.")));
  form.on("filesLimit", () => fail(badRequest("file", "Send one file at a time.")));
  form.on("file", (name: string, stream: BusboyFileStream, given: string | undefined) => {
    if (name !== "file") fail(badRequest(shown(name), "The file must be in the field `file`."));
    fileName = given ?? "";
    stream.once("limit", () => fail(tooLarge(maxBytes)));
    const target = createWriteStream(path, { flags: "wx", mode: 0o600 });
    saved = pipeline(stream, target, { signal: stop });
    saved.catch((error) => fail(problemOf(error)));
  });
  try {
    // A failed pipeline destroys its streams. The PassThrough protects the request, which must stay
    // open for the response.
    await pipeline(request.pipe(new PassThrough()), form, { signal: stop });
    await saved;
    stop.throwIfAborted();
  } catch (error) {
    fail(problemOf(error)); // ignored when `stop` is aborted already
    await saved.catch(() => {});
    throw stop.reason;
  }
  if (fileName === undefined) throw badRequest("file", "The form has no file.");
  return { path, fileName, fields };
}

/** An error of a system call is the server's. Any other error means that the form is damaged. */
function problemOf(cause: unknown): unknown {
  if ((cause as NodeJS.ErrnoException).syscall !== undefined) return cause;
  return new Problem(400, "ERR_FORM", "The form is damaged or incomplete.", { cause });
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
    const detail = "The form's Content-Type has no usable boundary.";
    throw new Problem(400, "ERR_FORM", detail, { cause });
  }
}

export function tooLarge(maxBytes: number): Problem {
  const detail = `The file is too large: the limit is ${maxBytes} bytes.`;
  return new Problem(413, "ERR_TOO_LARGE", detail, { option: "file" });
}

/** A field's name from a client, safe to repeat in a response. */
function shown(name: string): string {
  return name.replace(/[^\w.-]/g, "_").slice(0, 100);
}
