import { createHash } from "node:crypto";
import type { FastifyReply, FastifyRequest } from "fastify";
import { Problem } from "./problem.js";

/** A strong ETag of these parts. */
export function etagOf(...parts: string[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return `"${hash.digest("base64url").slice(0, 27)}"`;
}

/** Whether the list of ETags in `header` contains `etag`; `weak` also accepts `W/` of it. */
function names(header: string, etag: string, weak: boolean): boolean {
  if (header.trim() === "*") return true;
  return header.split(",").some((tag) => {
    const trimmed = tag.trim();
    return trimmed === etag || (weak && trimmed === `W/${etag}`);
  });
}

/**
 * Sets the ETag of a response, and answers 304 when `If-None-Match` contains it.
 *
 * @returns whether 304 was sent
 */
export function notModified(
  request: FastifyRequest,
  reply: FastifyReply,
  etag: string,
  cacheControl = "no-cache",
): boolean {
  reply.header("etag", etag).header("cache-control", cacheControl);
  const known = request.headers["if-none-match"];
  if (known === undefined || !names(known, etag, true)) return false;
  reply.code(304).send();
  return true;
}

/** @throws Problem 412: `If-Match` names other versions than the current one */
export function checkIfMatch(request: FastifyRequest, etag: string): void {
  const wanted = request.headers["if-match"];
  if (wanted === undefined || names(wanted, etag, false)) return;
  throw new Problem(412, "ERR_STALE", "The model has changed since; load it again.");
}

/** Sends JSON with an ETag of its text. */
export function sendJson(
  request: FastifyRequest,
  reply: FastifyReply,
  value: unknown,
): FastifyReply {
  const body = JSON.stringify(value);
  if (notModified(request, reply, etagOf(body))) return reply;
  return reply.type("application/json; charset=utf-8").send(body);
}
