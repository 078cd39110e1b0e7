/**
 * Byte ranges of a response (RFC 9110, section 14). range-parser 1.3 was tried: it refuses a suffix
 * longer than the content ("bytes=-9999"), which the RFC answers with all of it; 2.x needs Node 22.
 */
import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { notModified } from "./etag.js";
import { Problem } from "./problem.js";

export interface Content {
  type: string;
  size: number;
  etag: string;
  /** Whether it never changes under its address */
  immutable?: boolean;
  /** The bytes from `start` up to, and without, `end` */
  open(start: number, end: number): Readable | Buffer;
}

/**
 * Sends all of the content, or the one range that was asked for. Several ranges are answered with all of it, as is a range of
 * another version (If-Range).
 *
 * @throws Problem 416
 */
export function sendContent(
  request: FastifyRequest,
  reply: FastifyReply,
  content: Content,
): FastifyReply {
  const { size, etag } = content;
  reply.header("accept-ranges", "bytes");
  const cacheControl = content.immutable ? "private, max-age=31536000, immutable" : "no-cache";
  if (notModified(request, reply, etag, cacheControl)) return reply;
  const range = wantedRange(request, etag, size);
  const [start, end] = range ?? [0, size];
  reply.type(content.type).header("content-length", end - start);
  if (range) reply.code(206).header("content-range", `bytes ${start}-${end - 1}/${size}`);
  // Fastify would take the length of a body that isn't there; of a stream it knows none.
  if (request.method === "HEAD") return reply.send(Readable.from([]));
  return reply.send(content.open(start, end));
}

function wantedRange(request: FastifyRequest, etag: string, size: number): [number, number] | null {
  const { range } = request.headers;
  const ifRange = request.headers["if-range"];
  if (range === undefined || (ifRange !== undefined && ifRange !== etag)) return null;
  const match = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/i.exec(range);
  if (match === null || (match[1] === "" && match[2] === "")) return null;
  const [first, last] = [match[1] as string, match[2] as string];
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? size : Math.min(size, Number(last) + 1);
  if (first !== "" && last !== "" && Number(last) < Number(first)) return null;
  if (start >= end) {
    throw new Problem(416, "ERR_RANGE", "There are no such bytes.", {
      headers: { "content-range": `bytes */${size}` },
    });
  }
  return [start, end];
}
