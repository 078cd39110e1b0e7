/** Errors as responses (RFC 9457). The texts are this server's own, so that none names a path. */
import { STATUS_CODES } from "node:http";
import { constants } from "node:os";
import type { FastifyError } from "fastify";
import { SdaError, type SdaErrorCode } from "small-dataset-audio";

export interface ProblemOptions {
  /** The field that is wrong */
  option?: string | undefined;
  headers?: Record<string, string>;
  cause?: unknown;
}

export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly option: string | undefined;
  readonly headers: Record<string, string>;

  constructor(status: number, code: string, detail: string, options: ProblemOptions = {}) {
    super(detail, { cause: options.cause });
    this.status = status;
    this.code = code;
    this.option = options.option;
    this.headers = options.headers ?? {};
  }

  toJSON() {
    return {
      type: "about:blank",
      title: STATUS_CODES[this.status],
      status: this.status,
      detail: this.message,
      code: this.code,
      ...(this.option !== undefined && { option: this.option }),
    };
  }
}

export const PROBLEM_TYPE = "application/problem+json; charset=utf-8";

export function badRequest(option: string, detail: string): Problem {
  return new Problem(400, "ERR_SDA_ARGUMENT", detail, { option });
}

export function notFound(what: string, hint = ""): Problem {
  return new Problem(404, "ERR_SDA_NOT_FOUND", `The ${what} does not exist. ${hint}`.trimEnd());
}

export function unavailable(code: string, detail: string, retryAfterS = 2): Problem {
  return new Problem(503, code, detail, { headers: { "retry-after": String(retryAfterS) } });
}

/** Texts by the code of an SdaError. Its own message may name files of the host. */
const BY_CODE: Record<SdaErrorCode, readonly [status: number, detail: string]> = {
  ERR_SDA_NOT_FOUND: [404, "The model's file or the models folder does not exist."],
  ERR_SDA_FORMAT: [422, "The file has another format than expected."],
  ERR_SDA_CORRUPT: [422, "The file is damaged."],
  ERR_SDA_UNSAFE: [422, "Blocked: the file or its path is not safe."],
  ERR_SDA_VERSION: [422, "The file was written by a newer program than this server can read."],
  ERR_SDA_SCHEMA: [422, "The file is not a valid model: a value or a weight is wrong."],
  ERR_SDA_LIMIT: [422, "The request or the file exceeds a limit of this server."],
  ERR_SDA_ARGUMENT: [400, "A value is not valid."],
  ERR_SDA_DEVICE: [503, "The device of this server's sound engine is not available."],
  ERR_SDA_LIBTORCH: [
    503,
    "This server makes sound with LibTorch, which is missing or has another version.",
  ],
  ERR_SDA_NATIVE: [503, "This server's native addon is missing or has failed."],
  ERR_SDA_DISPOSED: [503, "The server is shutting down."],
  ERR_SDA_LOCKED: [503, "Another program is changing the library; try again later."],
  ERR_SDA_IO: [500, "The server could not read or write a file."],
};

/** A name that is safe to repeat in a response. */
const GLOBAL = /^[\w.]{1,100}$/;

/** Texts by the error code of a system call. */
const BY_ERRNO: Record<string, readonly [status: number, detail: string]> = {
  ENOSPC: [507, "The server's disk is full."],
  EDQUOT: [507, "The server's disk quota is used up."],
  EROFS: [403, "The models folder is read-only."],
  EACCES: [403, "The server has no permission for the models folder or a file in it."],
  EPERM: [403, "The server has no permission for the models folder or a file in it."],
  EMFILE: [503, "The server has too many files and connections open; try again later."],
  ENFILE: [503, "The server has too many files and connections open; try again later."],
};

/** Texts by the code of an error that Fastify itself throws. */
const BY_FASTIFY_CODE: Record<string, readonly [status: number, detail: string]> = {
  FST_ERR_CTP_EMPTY_JSON_BODY: [400, "The body is empty; JSON is expected."],
  FST_ERR_CTP_INVALID_JSON_BODY: [400, "The body is not valid JSON."],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [400, "The body's length differs from Content-Length."],
  FST_ERR_CTP_BODY_TOO_LARGE: [413, "The body is too large."],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [415, "This address does not accept a body of this type."],
  FST_ERR_BAD_URL: [400, "The address is malformed."],
  FST_ERR_MAX_PARAM_LENGTH: [414, "A segment of the address is too long."],
};

/** Converts any error to the problem that the client gets. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof SdaError) return fromSdaError(error);
  const { code, validation, statusCode } = error as Partial<FastifyError>;
  if (validation !== undefined) return fromValidation(validation as unknown as ValidationError[]);
  const known = code === undefined ? undefined : (BY_FASTIFY_CODE[code] ?? BY_ERRNO[code]);
  if (known !== undefined) return new Problem(known[0], code as string, known[1], { cause: error });
  if (error instanceof SyntaxError && statusCode === 400) {
    return new Problem(400, "FST_ERR_CTP_INVALID_JSON_BODY", "The body is not valid JSON.");
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    const text = `${STATUS_CODES[statusCode] ?? "Refused"}.`;
    return new Problem(statusCode, code ?? "ERR_REFUSED", text, { cause: error });
  }
  return new Problem(500, "ERR_INTERNAL", "The server has an internal error.", { cause: error });
}

function fromSdaError(error: SdaError): Problem {
  const { code, details = {} } = error;
  const [status, detail] =
    (code === "ERR_SDA_IO" && BY_ERRNO[errnoName(details["errno"])]) ||
    BY_CODE[code] ||
    BY_CODE.ERR_SDA_NATIVE;
  const { option, global } = details;
  const named = typeof option === "string" ? option : undefined;
  const text = named ? `${named} is not valid.` : (blockedText(global) ?? detail);
  return new Problem(status, code, text, {
    option: named,
    cause: error,
    ...(status === 503 && { headers: { "retry-after": "5" } }),
  });
}

/** @param global a Python global that a file refers to, such as "os.system"; any text */
function blockedText(global: unknown): string | undefined {
  if (typeof global !== "string" || !GLOBAL.test(global)) return undefined;
  return `Blocked: this file tries to run code (${global}).`;
}

/** Errors of Node have a name as errno, errors of the addons a number. */
function errnoName(errno: unknown): string {
  if (typeof errno !== "number") return String(errno);
  return Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? "";
}

interface ValidationError {
  instancePath: string;
  message: string;
  params: Record<string, unknown>;
}

const MAX_NAME = 100;

/** Names the field that is wrong, or missing, in the first validation error. */
function fromValidation(errors: ValidationError[]): Problem {
  const [first] = errors;
  const missing = (first?.params["requiredProperties"] as string[] | undefined)?.[0];
  const path = `${first?.instancePath ?? ""}${missing === undefined ? "" : `/${missing}`}`;
  const option = path.slice(1).replaceAll("/", ".").slice(0, MAX_NAME);
  const message = missing === undefined ? (first?.message ?? "is not valid") : "is missing";
  const text = message === "schema is false" ? "is unknown" : message;
  return new Problem(400, "ERR_SDA_ARGUMENT", `${option || "The body"} ${text}.`, {
    option: option || undefined,
  });
}
