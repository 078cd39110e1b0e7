/** Errors as sentences to show: the server's text if it sent one, otherwise a text per status. */
import type { ProblemBody } from "./types.js";

/** A failed request. `message` is a sentence to show. */
export class Problem extends Error {
  /** HTTP status; 0 without a response */
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.name = "Problem";
    this.status = status;
    this.code = code;
  }
}

/** For responses without a text of the server, such as those of a proxy. */
const BY_STATUS: Record<number, string> = {
  401: "This needs a token.",
  403: "The server does not allow this from here.",
  404: "Not found on the server.",
  413: "Too large for this server.",
  429: "The server is busy. Try again in a moment.",
  502: "The proxy cannot reach the server.",
  503: "The server cannot do this right now. Try again.",
  504: "The server took too long.",
};

/** The problem of a failed response. `body` is its text, which may be anything. */
export function problemOf(status: number, body: string): Problem {
  const { detail, code, option } = parse(body);
  const general = BY_STATUS[status] ?? `The server responded with status ${status}.`;
  const message = typeof detail === "string" && detail !== "" ? detail : general;
  const field = option === undefined || message.includes(option) ? "" : ` (${option})`;
  return new Problem(status, code ?? `HTTP_${status}`, message + field);
}

/** The problem of a request without a response. */
export function unreachable(): Problem {
  return new Problem(0, "UNREACHABLE", "The server does not respond. Is it running?");
}

/** Turns anything thrown into a Problem. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem(0, "PAGE", error instanceof Error ? error.message : String(error));
}

export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

function parse(body: string): Partial<ProblemBody> {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === "object" && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}
