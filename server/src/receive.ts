/** Forms with a model file. */
import { randomUUID } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { type PartHead, type PartReader, readParts } from "./form-parser.js";
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
/** Parts that are no field of the form are skipped, up to these bytes. */
const MAX_SKIPPED_BYTES = 1024 * 1024;

/**
 * Reads a form with one file from a request and writes the file to disk. When that fails, the file
 * is removed.
 *
 * @throws Problem 400, 413; the signal's reason; the file system's error
 */
export async function receiveForm(
  request: IncomingMessage,
  folder: string,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Received> {
  const form = new FormReader(join(folder, `${randomUUID()}.tmp`), maxBytes);
  try {
    await readParts(request, request.headers["content-type"] ?? "", form, signal);
    await form.close();
    return form.received();
  } catch (error) {
    await form.close().catch(() => {});
    await unlink(form.path).catch(() => {}); // the file may not have been created yet
    throw error;
  }
}

class FormReader implements PartReader {
  readonly path: string;
  readonly #maxBytes: number;
  readonly #fields = new Map<string, string[]>();
  #fieldCount = 0;
  #part: PartHead = { name: undefined, fileName: undefined };
  #text: Buffer[] = [];
  /** Bytes of the current part; of all skipped parts together */
  #size = 0;
  #skipped = 0;
  #fileName: string | undefined;
  #file: FileHandle | undefined;

  constructor(path: string, maxBytes: number) {
    this.path = path;
    this.#maxBytes = maxBytes;
  }

  async begin(part: PartHead): Promise<void> {
    this.#part = part;
    this.#size = 0;
    this.#text = [];
    if (part.name === undefined) return;
    if (part.fileName === undefined) {
      this.#fieldCount++;
      if (this.#fieldCount > MAX_FIELDS) throw badRequest("tags", "The form has too many fields.");
      return;
    }
    if (part.name !== "file") {
      throw badRequest(shown(part.name), "The file must be in the field `file`.");
    }
    if (this.#fileName !== undefined) throw badRequest("file", "Send one file at a time.");
    this.#fileName = part.fileName;
    this.#file = await open(this.path, "wx", 0o600);
  }

  async data(bytes: Buffer): Promise<void> {
    const { name, fileName } = this.#part;
    this.#size += bytes.length;
    if (name === undefined) {
      this.#skipped += bytes.length;
      if (this.#skipped > MAX_SKIPPED_BYTES) throw tooLarge(this.#maxBytes);
    } else if (fileName === undefined) {
      if (this.#size > MAX_FIELD_BYTES) throw badRequest(shown(name), "A field is too long.");
      this.#text.push(bytes);
    } else {
      if (this.#size > this.#maxBytes) throw tooLarge(this.#maxBytes);
      await this.#file?.writeFile(bytes);
    }
  }

  end(): void {
    const { name, fileName } = this.#part;
    if (name === undefined || fileName !== undefined) return;
    const value = Buffer.concat(this.#text).toString("utf8");
    this.#fields.set(name, [...(this.#fields.get(name) ?? []), value]);
  }

  /** Closes the file. Idempotent. */
  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  received(): Received {
    if (this.#fileName === undefined) throw badRequest("file", "The form has no file.");
    return { path: this.path, fileName: this.#fileName, fields: this.#fields };
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
