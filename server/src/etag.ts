import { createHash } from "node:crypto";
import type { FastifyReply, FastifyRequest } from "fastify";
import { Problem } from "./problem.js";

/** A strong validator of these parts. */
export function etagOf(...parts: string[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return `"${hash.digest("base64url").slice(0, 27)}"`;
}

/** Whether `If-None-Match` or the like names `etag`; weak ones count where what is the same to a reader is enough. */
function names(header: string, etag: string, weak: boolean): boolean {
  if (header.trim() === "*") return true;
  return header.split(",").some((tag) => {
    const trimmed = tag.trim();
    return trimmed === etag || (weak && trimmed === `W/${etag}`);
  });
}

/** Sets the validator. @returns true: the client has it already, and has been told so */
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

/** @throws Problem 412 when the client wants to change what is no longer there */
export function checkIfMatch(request: FastifyRequest, etag: string): void {
  const wanted = request.headers["if-match"];
  if (wanted === undefined || names(wanted, etag, false)) return;
  throw new Problem(412, "ERR_STALE", "Somebody has changed this model since; look at it again.");
}

/** Sends JSON with its own validator. */
export function sendJson(
  request: FastifyRequest,
  reply: FastifyReply,
  value: unknown,
): FastifyReply {
  const body = JSON.stringify(value);
  if (notModified(request, reply, etagOf(body))) return reply;
  return reply.type("application/json; charset=utf-8").send(body);
}
