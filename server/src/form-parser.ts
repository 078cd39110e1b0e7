/**
 * Splits a multipart form into its parts. formidable's parser is a state machine that has no stream
 * for each part. @fastify/busboy, which @fastify/multipart uses as well, was tried: a truncated
 * part emitted an error without a listener, which ended the process, and some complete forms never
 * finished.
 */
import { PassThrough, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { parse as parseDisposition } from "content-disposition";
import { MultipartParser } from "formidable";
import { Problem } from "./problem.js";

/** A part's head. */
export interface PartHead {
  /** The field's name; undefined: this part is no field of the form */
  name: string | undefined;
  /** The client's name for a file; undefined: the part is a text */
  fileName: string | undefined;
}

/** Receives the parts in order. Only one call runs at a time. */
export interface PartReader {
  begin(head: PartHead): Promise<void> | void;
  data(bytes: Buffer): Promise<void> | void;
  end(): Promise<void> | void;
}

const MAX_HEADERS = 20;
const MAX_HEAD_BYTES = 16 * 1024;

interface FormEvent {
  name: string;
  bytes: Buffer | undefined;
}

/** The parser, with events that own their bytes: it uses one buffer for several events. */
class Parser extends MultipartParser {
  override push(event: { name: string; buffer?: Buffer; start: number; end: number } | null) {
    if (event === null) return super.push(null);
    const { name, buffer, start, end } = event;
    const bytes = buffer === undefined ? undefined : Buffer.from(buffer.subarray(start, end));
    return super.push({ name, bytes } satisfies FormEvent);
  }

  get isComplete(): boolean {
    return (this as unknown as { state: number }).state === MultipartParser.STATES.END;
  }
}

/**
 * Reads a whole form. On failure the body stays open, so that its sender gets a response.
 *
 * @throws Problem 400 ERR_FORM: damaged or incomplete; the signal's reason; the reader's errors
 */
export async function readParts(
  body: Readable,
  contentType: string,
  reader: PartReader,
  signal: AbortSignal,
): Promise<void> {
  const parser = new Parser();
  parser.initWithBoundary(boundaryOf(contentType));
  let reading: Promise<void> = Promise.resolve();
  const read = (events: AsyncIterable<FormEvent>) => {
    reading = readEvents(events, reader);
    return reading;
  };
  try {
    // A failed pipeline destroys its streams. The PassThrough protects the body.
    await pipeline(body.pipe(new PassThrough()), parser, read, { signal });
  } catch (cause) {
    // The pipeline does not wait for the reader, which may be opening or writing a file.
    const failure = await reading.then(
      () => cause,
      (error) => error,
    );
    signal.throwIfAborted();
    throw isOurs(failure) ? failure : damaged(failure);
  }
  if (!parser.isComplete) throw damaged();
}

/** Whether this is a refusal, or an error of a system call. All others are the parser's. */
function isOurs(error: unknown): boolean {
  return error instanceof Problem || (error as NodeJS.ErrnoException).syscall !== undefined;
}

async function readEvents(events: AsyncIterable<FormEvent>, reader: PartReader): Promise<void> {
  let head = new Head();
  for await (const { name, bytes } of events) {
    if (name === "partBegin") head = new Head();
    else if (name === "headersEnd") await reader.begin(head.parsed());
    else if (name === "partData") await reader.data(bytes as Buffer);
    else if (name === "partEnd") await reader.end();
    else if (name !== "end") head.add(name, bytes);
  }
}

/** The headers of a part. A name or a value may arrive in pieces. */
class Head {
  readonly #headers = new Map<string, string>();
  #name = "";
  #value = "";
  #count = 0;
  #size = 0;

  /** @throws Problem 400: too many or too long headers */
  add(event: string, bytes: Buffer | undefined): void {
    // One character per byte: names in UTF-8 are decoded after the parameters are separated.
    const text = bytes?.toString("latin1") ?? "";
    this.#size += text.length;
    if (event === "headerField") this.#name += text;
    else if (event === "headerValue") this.#value += text;
    else {
      this.#headers.set(this.#name.toLowerCase(), this.#value);
      this.#name = "";
      this.#value = "";
      this.#count++;
    }
    if (this.#count > MAX_HEADERS || this.#size > MAX_HEAD_BYTES) throw damaged();
  }

  /** @throws Problem 400: the part's Content-Disposition is malformed */
  parsed(): PartHead {
    const none = { name: undefined, fileName: undefined };
    const disposition = this.#headers.get("content-disposition");
    if (disposition === undefined) return none;
    const { type, parameters } = dispositionOf(disposition);
    if (type !== "form-data") return none;
    const isBytes = /^application\/octet-stream\b/i.test(this.#headers.get("content-type") ?? "");
    const fileName = parameters["filename"] ?? (isBytes ? "" : undefined);
    return {
      name: decoded(parameters["name"] ?? ""),
      fileName: fileName === undefined ? undefined : decoded(fileName),
    };
  }
}

/** Control characters of ASCII. The others are bytes of UTF-8 here. */
const CONTROLS = /[^\P{Cc}\x80-\x9f]/gu;

/**
 * Browsers escape no backslash in a name, and clients may send any character: those that the
 * grammar does not allow are replaced by spaces.
 */
function dispositionOf(header: string) {
  try {
    const escaped = header.replace(/\\(?!["\\])/g, "\\\\").replace(CONTROLS, " ");
    return parseDisposition(escaped);
  } catch (cause) {
    throw damaged(cause);
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** A name as browsers write it: UTF-8, and an escape for each quote and line break. */
function decoded(name: string): string {
  let text = name;
  try {
    const bytes = Buffer.from(name, "latin1");
    if (bytes.toString("latin1") === name) text = utf8.decode(bytes);
  } catch {
    // The name is not UTF-8, so it stays Latin-1.
  }
  return text.replace(/%(22|0A|0D)/gi, decodeURIComponent);
}

/** RFC 2046: 1 to 70 characters, in quotes if it has others than those of a token. */
function boundaryOf(contentType: string): string {
  const [, quoted, token] =
    /;\s*boundary\s*=\s*(?:"([^"\r\n]{1,70})"|([^\s;"]{1,70}))\s*(?:;|$)/i.exec(contentType) ?? [];
  const boundary = quoted ?? token;
  if (boundary !== undefined) return boundary;
  throw new Problem(400, "ERR_FORM", "The form's Content-Type has no usable boundary.");
}

function damaged(cause?: unknown): Problem {
  return new Problem(400, "ERR_FORM", "The form is damaged or incomplete.", { cause });
}
