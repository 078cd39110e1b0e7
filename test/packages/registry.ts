/** An npm registry for tests. It serves tarballs by name and version to npm and pnpm. */

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

interface Held {
  manifest: { name: string; version: string };
  tarball: Buffer;
}

/** Listens on this machine only. `url` ends with a slash. */
export async function serveRegistry(
  tarballs: string[],
): Promise<{ url: string; requested: string[]; close(): void }> {
  const held = tarballs.map(hold);
  const requested: string[] = [];
  let url = "";
  const server: Server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? "").slice(1);
    requested.push(path);
    const asked = held.filter(({ manifest }) => manifest.name === path);
    const file = held.find((one) => fileName(one) === path);
    if (file) return response.end(file.tarball);
    if (asked.length === 0) {
      response.statusCode = 404;
      return response.end("{}");
    }
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(packument(asked, url)));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return { url, requested, close: () => server.close() };
}

function hold(path: string): Held {
  const { stdout, status } = spawnSync("tar", ["-xzOf", path, "package/package.json"], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${path} holds no package.json`);
  return { manifest: JSON.parse(stdout), tarball: readFileSync(path) };
}

function fileName({ manifest }: Held): string {
  return `files/${manifest.name}-${manifest.version}.tgz`;
}

function packument(versions: Held[], url: string) {
  const last = versions.at(-1)?.manifest;
  return {
    name: last?.name,
    "dist-tags": { latest: last?.version },
    versions: Object.fromEntries(
      versions.map((one) => [
        one.manifest.version,
        {
          ...one.manifest,
          dist: {
            tarball: url + fileName(one),
            integrity: `sha512-${createHash("sha512").update(one.tarball).digest("base64")}`,
            shasum: createHash("sha1").update(one.tarball).digest("hex"),
          },
        },
      ]),
    ),
  };
}
