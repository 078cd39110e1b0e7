/** What all of the server's routes have in common. */
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { PROBLEM_TYPE, type Problem, toProblem } from "./problem.js";
import { ClientLeft } from "./request-signal.js";
import { checkAccess } from "./security.js";
import type { Service } from "./service.js";
import { closing } from "./work.js";

const REQUEST_ID = /^[\w.:-]{1,100}$/;
/** As nginx has it in its logs: nobody reads the answer. */
const CLIENT_CLOSED = 499;
const LINGER_MS = 3000;
/** Said of an answer that is not sent. */
const CONTENT_HEADERS = [
  "accept-ranges",
  "cache-control",
  "content-disposition",
  "content-length",
  "content-range",
  "etag",
];

/** Gives each request its id and counts its answer. */
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

/** Refuses what a client may not do; after the headers that refusals have, too. */
export function guard(scope: FastifyInstance, service: Service): void {
  scope.addHook("onRequest", async (request) => {
    const action = request.routeOptions.config.sdaAction ?? "read";
    await checkAccess(request, action, service.options);
    if (service.closing && action !== "read") throw closing();
  });
}

/** Every error is a problem in this server's words. */
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
  if (!request.raw.complete && hasBody(request)) reply.raw.once("finish", () => linger(request));
  return reply
    .code(problem.status)
    .headers({ "cache-control": "no-store", ...problem.headers })
    .type(PROBLEM_TYPE)
    .send(JSON.stringify(problem));
}

/**
 * Who still sends what has been refused should read the answer, which is lost when the connection is cut at once. The rest is
 * thrown away, but not for long.
 */
function linger({ raw }: FastifyRequest): void {
  if (raw.complete) return;
  const timer = setTimeout(() => raw.destroy(), LINGER_MS).unref();
  raw.once("close", () => clearTimeout(timer));
  raw.resume();
}

function hasBody({ headers }: FastifyRequest): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}
