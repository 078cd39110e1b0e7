/** What went wrong, in words for a person: the server's own where it has an answer, and this page's where it has none. */
import type { ProblemBody } from "./types.js";

/** A request that failed. `message` is a sentence to show. */
export class Problem extends Error {
  /** 0 when no answer came */
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.name = "Problem";
    this.status = status;
    this.code = code;
  }
}

/** For answers that are not the server's: of a proxy in front of it, say. */
const BY_STATUS: Record<number, string> = {
  401: "The server wants a token for that.",
  403: "The server does not allow that from here.",
  404: "The server has no such thing.",
  413: "That is larger than the server accepts.",
  429: "The server is busy. Try again in a moment.",
  502: "The server is not running behind its proxy.",
  503: "The server can't do that at the moment. Try again.",
  504: "The server took too long.",
};

/** The problem of an answer that isn't a success; `body` is its text, of any kind. */
export function problemOf(status: number, body: string): Problem {
  const { detail, code, option } = parse(body);
  const general = BY_STATUS[status] ?? `The server answered with status ${status}.`;
  const message = typeof detail === "string" && detail !== "" ? detail : general;
  const field = option === undefined || message.includes(option) ? "" : ` (${option})`;
  return new Problem(status, code ?? `HTTP_${status}`, message + field);
}

/** No answer at all. */
export function unreachable(): Problem {
  return new Problem(0, "UNREACHABLE", "The server does not answer. Is it still running?");
}

/** Whatever was thrown, as a problem. */
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
