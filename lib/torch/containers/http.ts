/** Files on web servers, read by range requests (RFC 9110, section 14). */
import { badArgument, checkInteger, checkOptions, optionNames } from "../../base/check.js";
import { SdaError } from "../../base/errors.js";
import { type RandomAccess, shorter } from "./random-access.js";

/** How `load` and `inspect` read an `http(s):` URL. */
export interface HttpOptions {
  /** Headers of each request, such as `authorization`; not sent to another origin */
  headers?: Record<string, string>;
  /** The most bytes of all responses together. Default: 16 GiB */
  maxBytes?: number;
  /** Used in place of the global `fetch` */
  fetch?: typeof fetch;
}

const OPTIONS = optionNames<HttpOptions>({ headers: true, maxBytes: true, fetch: true });
const MOST_BYTES = 16 * 2 ** 30;
const MOST_REDIRECTS = 5;
/** The first request asks for so many bytes: enough for a file's kind, and often for all of it. */
const FIRST = 64 * 2 ** 10;

/**
 * Opens a file by asking for its first bytes. Later ranges must be of the same version of the
 * file, as the server's validators say.
 *
 * @throws SdaError ERR_SDA_NOT_FOUND; ERR_SDA_IO: the server refuses, fails, does not serve ranges
 *   or redirects to where this may not follow; ERR_SDA_LIMIT: more than `maxBytes`
 */
export async function openRemote(
  url: URL,
  options: HttpOptions = {},
  signal: AbortSignal | undefined,
): Promise<RandomAccess> {
  checkOptions("http", options, OPTIONS);
  const { maxBytes = MOST_BYTES } = options;
  if (url.username !== "" || url.password !== "") {
    throw badArgument("from", "a URL without a password; use http.headers", url.origin);
  }
  checkInteger("http.maxBytes", maxBytes, 1, Number.MAX_SAFE_INTEGER);
  const remote = new Remote(url, options, maxBytes, signal);
  await remote.open();
  return remote;
}

class Remote implements RandomAccess {
  readonly name: string;
  size = 0;
  #url: URL;
  /** Headers of the caller go to this origin alone */
  readonly #origin: string;
  readonly #options: HttpOptions;
  readonly #signal: AbortSignal | undefined;
  #left: number;
  #first = new Uint8Array();
  /** ETag or Last-Modified; null: the server names none */
  #version: string | null = null;

  constructor(url: URL, options: HttpOptions, maxBytes: number, signal: AbortSignal | undefined) {
    this.#url = url;
    this.#origin = url.origin;
    this.name = `${url.origin}${url.pathname}`;
    this.#options = options;
    this.#left = maxBytes;
    this.#signal = signal;
  }

  async open(): Promise<void> {
    const response = await this.#request(0, FIRST);
    if (response.status === 416 && response.headers.get("content-range") === "bytes */0") {
      await response.body?.cancel();
      return;
    }
    const range = await this.#rangeOf(response, 0, FIRST);
    this.#version = versionOf(response);
    this.size = range.total;
    this.#first = await this.#bodyOf(response, range.size);
  }

  async read(offset: number, size: number): Promise<Uint8Array> {
    if (offset + size <= this.#first.length) return this.#first.subarray(offset, offset + size);
    const response = await this.#request(offset, size);
    const range = await this.#rangeOf(response, offset, size);
    if (range.total !== this.size || versionOf(response) !== this.#version) {
      await response.body?.cancel();
      throw this.#failure("ERR_SDA_IO", "the file was changed while it was read");
    }
    if (range.size !== size) {
      await response.body?.cancel();
      throw shorter(this.name);
    }
    return this.#bodyOf(response, size);
  }

  async *readAll(): AsyncGenerator<Uint8Array> {
    yield this.#first;
    const piece = 8 * 2 ** 20;
    for (let at = this.#first.length; at < this.size; at += piece) {
      yield await this.read(at, Math.min(piece, this.size - at));
    }
  }

  async #request(offset: number, size: number): Promise<Response> {
    const { fetch: send = fetch, headers = {} } = this.#options;
    const range = { range: `bytes=${offset}-${offset + size - 1}`, "accept-encoding": "identity" };
    for (let redirects = 0; ; redirects++) {
      this.#signal?.throwIfAborted();
      let response: Response;
      try {
        response = await send(String(this.#url), {
          headers: { ...(this.#url.origin === this.#origin ? headers : {}), ...range },
          redirect: "manual",
          ...(this.#signal && { signal: this.#signal }),
        });
      } catch (cause) {
        this.#signal?.throwIfAborted();
        const reason = (cause as { cause?: Error }).cause?.message ?? (cause as Error).message;
        throw this.#failure("ERR_SDA_IO", reason, undefined, cause);
      }
      const location = response.headers.get("location");
      if (response.status < 300 || response.status > 399 || location === null) return response;
      await response.body?.cancel();
      if (redirects === MOST_REDIRECTS) {
        throw this.#failure("ERR_SDA_IO", `more than ${MOST_REDIRECTS} redirects`);
      }
      this.#url = this.#redirected(location);
    }
  }

  #redirected(location: string): URL {
    const to = URL.canParse(location, this.#url.href) ? new URL(location, this.#url) : undefined;
    const from = this.#url.protocol;
    if (to?.protocol === "https:" || (to?.protocol === "http:" && from === "http:")) return to;
    throw this.#failure("ERR_SDA_IO", `it redirects from ${from} to ${to?.protocol ?? location}`);
  }

  /** Checks that the response has this range, or as much of it as the file has. */
  async #rangeOf(response: Response, offset: number, size: number) {
    const { status } = response;
    const named = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(response.headers.get("content-range") ?? "");
    const [start, last, total] = (named ?? []).slice(1).map(Number) as [number, number, number];
    const isRange = [start, last, total].every(Number.isSafeInteger);
    const fits =
      isRange && start === offset && last < total && last - start < size && last >= start;
    if (status === 206 && named && fits) return { size: last - start + 1, total };
    await response.body?.cancel();
    if (status === 404 || status === 410) {
      throw this.#failure("ERR_SDA_NOT_FOUND", `the server has no such file (${status})`, status);
    }
    const problem =
      status === 200
        ? "the server does not serve ranges of the file; fetch all of it and read the bytes"
        : status === 206
          ? "the server's answer is not the range that it was asked for"
          : `the server answers ${status} ${response.statusText}`.trimEnd();
    throw this.#failure("ERR_SDA_IO", problem, status);
  }

  async #bodyOf(response: Response, size: number): Promise<Uint8Array<ArrayBuffer>> {
    if (size > this.#left) {
      await response.body?.cancel();
      throw this.#failure("ERR_SDA_LIMIT", "more bytes than http.maxBytes allows");
    }
    this.#left -= size;
    const bytes = new Uint8Array(size);
    let at = 0;
    try {
      for await (const piece of response.body ?? []) {
        if (piece.length > size - at) throw shorter(this.name);
        bytes.set(piece, at);
        at += piece.length;
      }
    } catch (cause) {
      this.#signal?.throwIfAborted();
      if (cause instanceof SdaError) throw cause;
      throw this.#failure("ERR_SDA_IO", (cause as Error).message, undefined, cause);
    }
    if (at !== size) throw this.#failure("ERR_SDA_IO", "the connection ended too early");
    return bytes;
  }

  #failure(
    code: "ERR_SDA_IO" | "ERR_SDA_NOT_FOUND" | "ERR_SDA_LIMIT",
    problem: string,
    status?: number,
    cause?: unknown,
  ): SdaError {
    const details = { path: this.name, ...(status !== undefined && { status }) };
    return new SdaError(code, `${this.name} can't be read: ${problem}`, details, { cause });
  }
}

/** What changes with the file's content; null: unknown. */
function versionOf(response: Response): string | null {
  return response.headers.get("etag") ?? response.headers.get("last-modified");
}
