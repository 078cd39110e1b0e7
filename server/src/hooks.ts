/** Hooks that all routes of the server share. */
import { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { PROBLEM_TYPE, type Problem, toProblem } from "./problem.js";
import { ClientLeft } from "./request-signal.js";
import { checkAccess } from "./security.js";
import type { Service } from "./service.js";
import { closing } from "./work.js";

const REQUEST_ID = /^[\w.:-]{1,100}$/;
/** nginx's status for a client that has disconnected. The client never sees it; logs do. */
const CLIENT_CLOSED = 499;
/** How long the rest of a refused request body is read and discarded. */
const LINGER_MS = 3000;
/** Headers that a handler may have set for its body. An error response has another body. */
const CONTENT_HEADERS = [
  "accept-ranges",
  "cache-control",
  "content-disposition",
  "content-length",
  "content-range",
  "etag",
];

/** Gives each request an id and counts each response. */
export function identifyRequests(scope: FastifyInstance, service: Service): void {
  scope.addHook("onRequest", async (request, reply) => {
    const given = request.headers["x-request-id"];
    const id = typeof given === "string" && REQUEST_ID.test(given) ? given : request.id;
    reply.header("x-request-id", id);
    service.requests.follow(request, reply);
  });
  scope.addHook("onSend", async (_request, reply) => {
    if (service.closing) reply.header("connection", "close");
  });
  scope.addHook("onResponse", async (request, reply) => {
    const route = request.routeOptions.url ?? "unknown";
    service.metrics.answered(request.method, route, reply.statusCode, reply.elapsedTime / 1000);
  });
}

/**
 * Refuses requests that a client may not make. Register it after the security headers, so that
 * refusals have them as well.
 */
export function guard(scope: FastifyInstance, service: Service): void {
  scope.addHook("onRequest", async (request) => {
    const action = request.routeOptions.config.sdaAction ?? "read";
    await checkAccess(request, action, service.options);
    if (service.closing && action !== "read") throw closing();
  });
}

/** Sends every error as a problem (RFC 9457) with this server's own text. */
export function answerErrors(scope: FastifyInstance): void {
  scope.setErrorHandler((error: FastifyError, request, reply) => {
    for (const name of CONTENT_HEADERS) reply.removeHeader(name);
    if (error instanceof ClientLeft) return reply.code(CLIENT_CLOSED).send();
    const problem = toProblem(error);
    if (problem.status >= 500)
      request.log.error({ err: problem.cause ?? problem }, problem.message);
    return sendProblem(request, reply, problem);
  });
}

function sendProblem(request: FastifyRequest, reply: FastifyReply, problem: Problem): FastifyReply {
  const text = JSON.stringify(problem);
  const isSending = hasBody(request) && !request.raw.complete && !request.raw.readableEnded;
  return reply
    .code(problem.status)
    .headers({ "cache-control": "no-store", ...problem.headers })
    .headers(isSending ? { "content-length": Buffer.byteLength(text) } : {})
    .type(PROBLEM_TYPE)
    .send(isSending ? Readable.from(lingering(text, request)) : text);
}

/**
 * A response that ends after the rest of a refused request body is read and discarded, for a short
 * time. If the connection closed at once, as `Connection: close` asks, a client that is still
 * sending would lose the response.
 */
async function* lingering(text: string, { raw }: FastifyRequest): AsyncGenerator<string> {
  yield text;
  const timer = setTimeout(() => raw.destroy(), LINGER_MS).unref();
  const read = finished(raw, { writable: false }).catch(() => {}); // the client may have left
  raw.resume();
  await read;
  clearTimeout(timer);
}

function hasBody({ headers }: FastifyRequest): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}
