/** Random requests that are wrong in some way. A seed gives the same request again. */
import { bytesOf, PLUCKS_ID, tiny } from "./support.js";

export interface BadRequest {
  bytes: Buffer;
  /** Ends of the pieces that are sent one after another */
  cuts: number[];
  /** Whether the client ends its side afterwards, because the body is shorter than stated */
  isCut: boolean;
}

/** mulberry32: a generator of numbers in [0, 1). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function badRequest(seed: number): BadRequest {
  const random = randomOf(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const upTo = (n: number) => Math.floor(random() * (n + 1));
  const chance = (p: number) => random() < p;

  /** Sizes around the parser's and the streams' buffers are the interesting ones. */
  const size = () => pick([0, 1, 2, 40, 1000, 16_383, 16_384, 16_385, 60_000, 65_536, 70_000]);

  const mutate = (bytes: Buffer): Buffer => {
    let result = bytes;
    for (let n = upTo(3); n > 0 && result.length > 0; n--) {
      const at = upTo(result.length - 1);
      const length = pick([1, 1, 2, 8, 100]);
      const kind = upTo(3);
      if (kind === 0) {
        result = Buffer.from(result);
        for (let i = at; i < Math.min(at + length, result.length); i++) result[i] = upTo(255);
      } else if (kind === 1) {
        result = Buffer.concat([result.subarray(0, at), result.subarray(at + length)]);
      } else if (kind === 2) {
        const part = result.subarray(at, at + length);
        result = Buffer.concat([result.subarray(0, at), part, result.subarray(at)]);
      } else result = result.subarray(0, at);
    }
    return result;
  };

  const disposition = () =>
    pick([
      'form-data; name="file"; filename="a.sda"',
      'form-data; name="other"; filename="a"',
      'form-data; name="name"',
      'form-data; name="tags"',
      "form-data",
      "attachment",
      'attachment; filename="a"',
      'form-data; name="file"',
      'form-data; name="a\\"; filename="b',
      `form-data; name="${"n".repeat(size())}"`,
      "form-data; name=\"file\"; filename*=UTF-8''%E3%83%94",
      "form-data; name=file; filename=a; filename=b",
      "",
    ]);

  const form = (): Buffer => {
    const parts: Buffer[] = [];
    if (chance(0.1)) parts.push(Buffer.alloc(size(), "p"));
    for (let n = upTo(3); n > 0; n--) {
      let head = "--x\r\n";
      if (chance(0.95)) head += `Content-Disposition: ${disposition()}\r\n`;
      if (chance(0.4))
        head += `Content-Type: ${pick(["application/octet-stream", "text/plain"])}\r\n`;
      if (chance(0.05)) head += `X-Long: ${"h".repeat(size())}\r\n`;
      if (chance(0.05)) head += "X-Many: 1\r\n".repeat(upTo(200));
      const content = chance(0.2) ? bytesOf(tiny).subarray(upTo(500)) : Buffer.alloc(size(), "y");
      parts.push(Buffer.from(`${head}\r\n`), content, Buffer.from("\r\n"));
    }
    parts.push(Buffer.from(pick(["--x--\r\n", "--x--", "--x\r\n", "--x", "--x-", ""])));
    if (chance(0.1)) parts.push(Buffer.alloc(size(), "e"));
    return chance(0.6) ? Buffer.concat(parts) : mutate(Buffer.concat(parts));
  };

  const value = (depth = 0): string => {
    const deeper = () => value(depth + 1);
    if (depth < 3 && chance(0.3)) return `[${Array.from({ length: upTo(4) }, deeper).join()}]`;
    if (depth < 3 && chance(0.3)) return `{${Array.from({ length: upTo(3) }, member).join()}}`;
    return pick([
      "0",
      "-1",
      "1e999",
      "1e-999",
      '""',
      '"x"',
      "null",
      "true",
      "9".repeat(400),
      "0.5",
    ]);
  };
  const names = [
    "durationS",
    "seed",
    "sliders",
    "latent",
    "spatial",
    "mode",
    "name",
    "tags",
    "description",
    "componentLabels",
    "__proto__",
    "constructor",
    "toString",
    "",
    "\\u0000",
  ];
  const member = (): string => `"${pick(names)}":${value(1)}`;
  const json = (): Buffer => {
    const kind = upTo(9);
    if (kind === 0) return Buffer.from("[".repeat(upTo(100_000)));
    if (kind === 1) return Buffer.from(`{"sliders":[${"0,".repeat(upTo(50_000))}0]}`);
    const text = `{${Array.from({ length: upTo(4) }, member).join()}}`;
    return mutate(Buffer.from(text));
  };

  const wav = (): Buffer => {
    const head = Buffer.alloc(44);
    head.write("RIFF\xff\xff\xff\xffWAVEfmt ", "latin1");
    head.writeUInt32LE(16, 16);
    head.writeUInt16LE(pick([1, 3, 0xfffe, 7]), 20);
    head.writeUInt16LE(pick([0, 1, 2, 33, 65_535]), 22);
    head.writeUInt32LE(pick([0, 8000, 48_000, 192_000, 2 ** 32 - 1]), 24);
    head.writeUInt16LE(pick([0, 1, 2, 3, 4]), 32);
    head.writeUInt16LE(pick([0, 8, 16, 24, 32, 64]), 34);
    head.write("data", 36);
    head.writeUInt32LE(pick([0, 10, 2 ** 32 - 1]), 40);
    return mutate(Buffer.concat([head, Buffer.alloc(size(), upTo(255))]));
  };

  const model = `/api/models/${PLUCKS_ID}`;
  const [method, path, type, body] = pick([
    () => ["POST", "/api/models", "multipart/form-data; boundary=x", form()] as const,
    () => ["POST", "/api/models", "multipart/form-data; boundary=x", form()] as const,
    () => ["POST", `${model}/generate?format=json`, "application/json", json()] as const,
    () => ["PATCH", model, "application/json", json()] as const,
    () => ["POST", `${model}/encode`, "audio/wav", wav()] as const,
    () => {
      const types = ["text/plain", "multipart/form-data", "application/json;", "x", "audio/wav; a"];
      return [pick(["POST", "PUT", "DELETE"]), "/api/models", pick(types), json()] as const;
    },
  ])();
  const isCut = chance(0.2);
  const isChunked = chance(0.3);
  const stated = isCut ? body.length + 1 + upTo(100) : body.length;
  const framing = isChunked ? "Transfer-Encoding: chunked" : `Content-Length: ${stated}`;
  const host = "Host: localhost\r\n";
  const head = `${method} ${path} HTTP/1.1\r\n${host}Content-Type: ${type}\r\n${framing}`;
  const chunk = Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body]);
  const chunked = body.length === 0 ? Buffer.alloc(0) : Buffer.concat([chunk, Buffer.from("\r\n")]);
  const end = isCut ? "" : "0\r\n\r\n";
  const framed = isChunked ? Buffer.concat([chunked, Buffer.from(end)]) : body;
  const bytes = Buffer.concat([Buffer.from(`${head}\r\nConnection: close\r\n\r\n`), framed]);
  const cuts = Array.from({ length: pick([0, 0, 1, 2, 3]) }, () => upTo(bytes.length));
  return { bytes, cuts: cuts.sort((a, b) => a - b), isCut };
}
