/** What a client is told when something can't be done: RFC 9457, worded here, so that nothing of the host is in it. */
import { STATUS_CODES } from "node:http";
import { getSystemErrorName } from "node:util";
import type { FastifyError } from "fastify";
import { SdaError, type SdaErrorCode } from "small-dataset-audio";

export interface ProblemOptions {
  /** The field at fault */
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

export function notFound(what: string): Problem {
  return new Problem(404, "ERR_SDA_NOT_FOUND", `There is no such ${what}.`);
}

export function unavailable(code: string, detail: string, retryAfterS = 2): Problem {
  return new Problem(503, code, detail, { headers: { "retry-after": String(retryAfterS) } });
}

/** By the code alone: messages of SdaErrors name files. */
const BY_CODE: Record<SdaErrorCode, readonly [status: number, detail: string]> = {
  ERR_SDA_NOT_FOUND: [404, "The model's file, or the models folder, is not there."],
  ERR_SDA_FORMAT: [422, "This is not a file of that kind."],
  ERR_SDA_CORRUPT: [422, "The file is damaged."],
  ERR_SDA_UNSAFE: [422, "The file asks for something that is not safe, and was refused."],
  ERR_SDA_VERSION: [422, "The file was written by something newer than this server."],
  ERR_SDA_SCHEMA: [422, "The file's content doesn't make a model: a value or weight is wrong."],
  ERR_SDA_LIMIT: [422, "That is more than this server's reader or engine takes."],
  ERR_SDA_ARGUMENT: [400, "A value is not what is expected."],
  ERR_SDA_DEVICE: [503, "The device that this server makes sound on is not there."],
  ERR_SDA_LIBTORCH: [
    503,
    "This server has no sound engine: LibTorch is missing or another version.",
  ],
  ERR_SDA_NATIVE: [503, "This server's native part is missing or has failed."],
  ERR_SDA_DISPOSED: [503, "The server is shutting down."],
  ERR_SDA_LOCKED: [503, "Another program is changing the library; try again."],
  ERR_SDA_IO: [500, "The server's file system refused to read or write."],
};

/** By the system's code. */
const BY_ERRNO: Record<string, readonly [status: number, detail: string]> = {
  ENOSPC: [507, "The server's disk is full."],
  EDQUOT: [507, "The server's disk quota is used up."],
  EROFS: [403, "The models folder can't be written to."],
  EACCES: [403, "The models folder, or a file in it, may not be used by this server."],
  EPERM: [403, "The models folder, or a file in it, may not be used by this server."],
  EMFILE: [503, "The server has too many files and connections open; try again."],
  ENFILE: [503, "The server has too many files and connections open; try again."],
};

/** What Fastify itself refuses, in this server's words. */
const BY_FASTIFY_CODE: Record<string, readonly [status: number, detail: string]> = {
  FST_ERR_CTP_EMPTY_JSON_BODY: [400, "The body is empty, but said to be JSON."],
  FST_ERR_CTP_INVALID_JSON_BODY: [400, "The body is not JSON."],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [400, "The body is not as long as Content-Length says."],
  FST_ERR_CTP_BODY_TOO_LARGE: [413, "The body is too large."],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [415, "This address doesn't take a body of that type."],
  FST_ERR_BAD_URL: [400, "The address is not well-formed."],
  FST_ERR_MAX_PARAM_LENGTH: [414, "A part of the address is too long."],
};

/** Any error as what the client is told of it. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof SdaError) return fromSdaError(error);
  const { code, validation, statusCode } = error as Partial<FastifyError>;
  if (validation !== undefined) return fromValidation(validation as unknown as ValidationError[]);
  const known = code === undefined ? undefined : (BY_FASTIFY_CODE[code] ?? BY_ERRNO[code]);
  if (known !== undefined) return new Problem(known[0], code as string, known[1], { cause: error });
  if (error instanceof SyntaxError && statusCode === 400) {
    return new Problem(400, "FST_ERR_CTP_INVALID_JSON_BODY", "The body is not JSON.");
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    const text = `${STATUS_CODES[statusCode] ?? "Refused"}.`;
    return new Problem(statusCode, code ?? "ERR_REFUSED", text, { cause: error });
  }
  return new Problem(500, "ERR_INTERNAL", "The server has failed.", { cause: error });
}

function fromSdaError(error: SdaError): Problem {
  const { code, details = {} } = error;
  const [status, detail] =
    (code === "ERR_SDA_IO" && BY_ERRNO[errnoName(details["errno"])]) ||
    BY_CODE[code] ||
    BY_CODE.ERR_SDA_NATIVE;
  const { option } = details;
  const named = typeof option === "string" ? option : undefined;
  return new Problem(status, code, named ? `${named} is not what is expected.` : detail, {
    option: named,
    cause: error,
    ...(status === 503 && { headers: { "retry-after": "5" } }),
  });
}

/** Node's own errors have the name, native ones the number. */
function errnoName(errno: unknown): string {
  return typeof errno === "number" && errno > 0 ? getSystemErrorName(-errno) : String(errno);
}

interface ValidationError {
  instancePath: string;
  message: string;
  params: Record<string, unknown>;
}

const MAX_NAME = 100;

/** The most specific thing that is wrong: a missing or unknown field before the whole. */
function fromValidation(errors: ValidationError[]): Problem {
  const [first] = errors;
  const missing = (first?.params["requiredProperties"] as string[] | undefined)?.[0];
  const path = `${first?.instancePath ?? ""}${missing === undefined ? "" : `/${missing}`}`;
  const option = path.slice(1).replaceAll("/", ".").slice(0, MAX_NAME);
  const message = missing === undefined ? (first?.message ?? "is wrong") : "is missing";
  const text = message === "schema is false" ? "is not known here" : message;
  return new Problem(400, "ERR_SDA_ARGUMENT", `${option || "The body"} ${text}.`, {
    option: option || undefined,
  });
}
