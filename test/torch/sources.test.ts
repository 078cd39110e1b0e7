/** What `load` and `inspect` read besides paths: bytes, blobs, open files and web servers. */
import { readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import {
  inspect,
  load,
  loadSafetensors,
  save,
  saveSafetensors,
  Tensor,
} from "../../lib/torch/index.js";
import { sdaError } from "../support/errors.js";
import { temporaryFolder } from "../support/folder.js";
import { fileOf, tensorLegacy, tensorZip } from "../support/torch-file.js";

/** A checkpoint with a tensor of a megabyte. */
async function checkpoint(): Promise<Buffer> {
  const path = `${temporaryFolder()}/large.pt`;
  const large = new Tensor("float32", [2 ** 18], new Float32Array(2 ** 18).fill(1.5));
  await save({ step: 3, weights: { large } }, path);
  return readFileSync(path);
}

describe.each([
  ["zip", tensorZip()],
  ["legacy", tensorLegacy()],
])("%s", (_, bytes) => {
  test("from bytes, a view of a larger buffer and a Blob", async () => {
    const wanted = await load(fileOf(bytes));
    const around = Buffer.concat([Buffer.alloc(7), bytes, Buffer.alloc(9)]);
    const view = new Uint8Array(around.buffer, around.byteOffset + 7, bytes.length);
    for (const source of [bytes, view, new Blob([bytes]), new File([bytes], "model.pt")]) {
      for (const verify of [true, false]) {
        expect(await load(source, { verify })).toEqual(wanted);
      }
      expect((await inspect(source)).tensors).toEqual((await inspect(fileOf(bytes))).tensors);
    }
  });

  test("the caller's bytes are not changed, and may change", async () => {
    const own = Uint8Array.from(bytes);
    const tensor = (await load(own)) as Tensor;
    tensor.data.fill(9 as never);
    expect(Buffer.compare(own, bytes)).toBe(0);
    own.fill(0);
    expect(new Set(tensor.data as Float32Array)).toEqual(new Set([9]));
  });

  test("from an open file, which stays open at its position", async () => {
    const file = await open(fileOf(bytes));
    try {
      expect(await load(file)).toEqual(await load(bytes));
      expect((await inspect(file)).bytes).toBe(bytes.length);
      expect((await file.read(Buffer.alloc(2), 0, 2)).bytesRead).toBe(2);
    } finally {
      await file.close();
    }
  });
});

test("damage of bytes is named as that of a file", async () => {
  const bytes = tensorZip();
  bytes[bytes.length - 40] = (bytes[bytes.length - 40] as number) ^ 0xff;
  const error = await sdaError(() => load(bytes));
  expect(error.message).toContain("the given bytes");
  const blob = await sdaError(() => load(new File([Buffer.from("no")], "model.pt")));
  expect(blob.message).toContain("model.pt");
});

describe("a web server", () => {
  const servers: (() => void)[] = [];
  afterEach(() => {
    for (const stop of servers.splice(0)) stop();
  });

  type Answer = (request: IncomingMessage, response: ServerResponse) => void;

  async function serve(answer: Answer): Promise<URL> {
    const server = createServer(answer);
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    servers.push(() => {
      server.closeAllConnections();
      server.close();
    });
    return new URL(`http://127.0.0.1:${(server.address() as { port: number }).port}/a/model.pt`);
  }

  /** Serves ranges of a file, and counts the bytes. */
  function ranges(content: Buffer, sent = { bytes: 0, requests: 0 }, etag = () => '"1"'): Answer {
    return (request, response) => {
      const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
      const [start, end] = [Number(from), Math.min(Number(to), content.length - 1)];
      sent.requests++;
      sent.bytes += end - start + 1;
      response.writeHead(206, {
        "content-range": `bytes ${start}-${end}/${content.length}`,
        etag: etag(),
      });
      response.end(content.subarray(start, end + 1));
    };
  }

  test("of a remote model, only its directory and pickle are read", async () => {
    const content = await checkpoint();
    const sent = { bytes: 0, requests: 0 };
    const url = await serve(ranges(content, sent));
    const report = await inspect(url);
    expect(report).toMatchObject({ container: "zip", bytes: content.length });
    expect(report.tensors).toMatchObject([{ name: "weights.large", bytes: 2 ** 20 }]);
    const value = (await load(url, { weights: false })) as Map<string, unknown>;
    expect(value.get("step")).toBe(3);
    expect(sent.bytes).toBeLessThan(300_000);
    expect(sent.requests).toBeLessThanOrEqual(6);
  });

  test("all of it is read for its weights", async () => {
    const content = await checkpoint();
    const url = await serve(ranges(content));
    const value = (await load(url)) as Map<string, Map<string, Tensor>>;
    const large = value.get("weights")?.get("large") as Tensor;
    expect(new Set(large.data as Float32Array)).toEqual(new Set([1.5]));
  });

  test.each([
    ["legacy", tensorLegacy()],
    ["zip", tensorZip()],
  ])("a small %s file takes one request", async (_, content) => {
    const sent = { bytes: 0, requests: 0 };
    const url = await serve(ranges(content, sent));
    expect(await load(url)).toEqual(await load(content));
    expect(sent.requests).toBe(1);
  });

  test("safetensors", async () => {
    const path = `${temporaryFolder()}/a.safetensors`;
    await saveSafetensors({ w: new Tensor("float32", [1], Float32Array.of(2)) }, path);
    const url = await serve(ranges(readFileSync(path)));
    expect((await loadSafetensors(url)).get("w")?.data).toEqual(Float32Array.of(2));
    expect((await inspect(url)).container).toBe("safetensors");
  });

  test("a server that serves no ranges is told plainly", async () => {
    const url = await serve((_, response) => response.end(tensorZip()));
    const error = await sdaError(() => load(url));
    expect(error).toMatchObject({ code: "ERR_SDA_IO", details: { status: 200 } });
    expect(error.message).toContain("does not serve ranges");
  });

  test.each([
    [404, "ERR_SDA_NOT_FOUND"],
    [403, "ERR_SDA_IO"],
    [500, "ERR_SDA_IO"],
  ])("status %i", async (status, code) => {
    const url = await serve((_, response) => response.writeHead(status).end("no"));
    expect(await sdaError(() => inspect(url))).toMatchObject({ code, details: { status } });
  });

  test("an empty file", async () => {
    const url = await serve((_, response) =>
      response.writeHead(416, { "content-range": "bytes */0" }).end(),
    );
    expect((await sdaError(() => load(url))).message).toContain("is empty");
  });

  test.each<[string, (content: Buffer) => Answer, RegExp]>([
    [
      "another range than asked for",
      (content) => (_, response) => {
        const headers = { "content-range": `bytes 1-9/${content.length}` };
        response.writeHead(206, headers).end(content.subarray(1, 10));
      },
      /not the range/,
    ],
    [
      "fewer bytes than it says",
      (content) => (_, response) => {
        const headers = { "content-range": `bytes 0-99/${content.length}` };
        response.writeHead(206, headers).end(content.subarray(0, 50));
      },
      /too early/,
    ],
    [
      "more bytes than it says",
      (content) => (_, response) => {
        const headers = { "content-range": `bytes 0-9/${content.length}` };
        response.writeHead(206, headers).end(content);
      },
      /ended before it was read/,
    ],
    [
      "another version of the file",
      (content) => {
        let version = 0;
        return ranges(content, undefined, () => `"${version++}"`);
      },
      /changed while it was read/,
    ],
    [
      "a connection that ends",
      (content) => (_, response) => {
        const headers = { "content-range": `bytes 0-99/${content.length}`, "content-length": 100 };
        response.writeHead(206, headers).write(content.subarray(0, 50));
        setTimeout(() => response.destroy(), 20);
      },
      /can't be read/,
    ],
  ])("%s is an error", async (_, answer, message) => {
    const url = await serve(answer(await checkpoint()));
    const error = await sdaError(() => load(url));
    expect(error.code).toMatch(/^ERR_SDA_(IO|CORRUPT)$/);
    expect(error.message).toMatch(message);
  });

  test("redirects are followed, without the caller's headers to another origin", async () => {
    const seen: (string | undefined)[] = [];
    const to = await serve((request, response) => {
      seen.push(request.headers.authorization);
      ranges(tensorZip())(request, response);
    });
    const from = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(302, { location: to.href }).end();
    });
    await load(from, { http: { headers: { authorization: "Bearer x" } } });
    expect(seen).toEqual(["Bearer x", undefined]);
  });

  test.each(["file:///etc/passwd", "ftp://127.0.0.1/a", "data:,a"])(
    "no redirect to %s",
    async (location) => {
      const url = await serve((_, response) => response.writeHead(302, { location }).end());
      const error = await sdaError(() => load(url));
      expect(error).toMatchObject({ code: "ERR_SDA_IO" });
      expect(error.message).toContain("redirects from http:");
    },
  );

  test("redirects without end", async () => {
    const url = await serve((_, response) =>
      response.writeHead(302, { location: "/a/model.pt" }).end(),
    );
    expect((await sdaError(() => load(url))).message).toContain("more than 5 redirects");
  });

  test("more bytes than allowed", async () => {
    const url = await serve(ranges(await checkpoint()));
    const error = await sdaError(() => load(url, { http: { maxBytes: 100_000 } }));
    expect(error.code).toBe("ERR_SDA_LIMIT");
    expect(await inspect(url, { http: { maxBytes: 300_000 } })).toBeDefined();
  });

  test("aborting ends a request that gets no answer", async () => {
    const url = await serve(() => {});
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("enough")), 50);
    await expect(load(url, { signal: controller.signal })).rejects.toThrow("enough");
  });

  test("no server", async () => {
    const url = await serve(() => {});
    for (const stop of servers.splice(0)) stop();
    expect(await sdaError(() => load(url))).toMatchObject({ code: "ERR_SDA_IO" });
  });

  test("another fetch", async () => {
    const content = tensorZip();
    const answer: typeof fetch = async () =>
      new Response(content, {
        status: 206,
        headers: { "content-range": `bytes 0-${content.length - 1}/${content.length}` },
      });
    const url = new URL("https://models.invalid/a.pt");
    expect(await load(url, { http: { fetch: answer } })).toEqual(await load(content));
  });

  test("a text that looks like a URL is a path: no request leaves this machine", async () => {
    const error = await sdaError(() => load("https://models.invalid/a.pt"));
    expect(error.code).toBe("ERR_SDA_NOT_FOUND");
  });
});
