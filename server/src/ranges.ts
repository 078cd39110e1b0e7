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
  /** Whether the content at this address never changes */
  immutable?: boolean;
  /** The bytes from `start` up to `end`, which is excluded */
  open(start: number, end: number): Readable | Buffer;
}

/**
 * Sends the whole content, or one range of it. A request for several ranges, or for a range of
 * another version (`If-Range`), gets the whole content.
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
  // An empty stream keeps the content-length. Fastify would replace it for an empty body.
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
    throw new Problem(416, "ERR_RANGE", "The range is outside the content.", {
      headers: { "content-range": `bytes */${size}` },
    });
  }
  return [start, end];
}
