import { existsSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import helmet from "@fastify/helmet";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";
import { SHARED_HEADERS } from "./headers.js";
import { guard } from "./hooks.js";
import type { Service } from "./service.js";

/** The built page: beside the compiled server, or in dist when the server runs from its sources. */
const PLACES = ["./page/", "../dist/page/"].map((place) =>
  fileURLToPath(new URL(place, import.meta.url)),
);

/** The page may load files of this server, and sounds and pictures that it creates itself. */
const POLICY = {
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    imgSrc: ["'self'", "blob:", "data:"],
    mediaSrc: ["'self'", "blob:"],
    connectSrc: ["'self'", "blob:"],
    fontSrc: ["'self'"],
    manifestSrc: ["'self'"],
    baseUri: ["'none'"],
    formAction: ["'self'"],
    frameAncestors: ["'none'"],
  },
};

/** @returns the folder of the built page, or undefined when the page is not built */
export function pageFolder(): string | undefined {
  return PLACES.find((place) => existsSync(join(place, "index.html")));
}

/**
 * Serves the page and its files. Each request gets the page with the API's path and a nonce in meta
 * elements; a component that creates style elements needs the nonce. Files in `assets` have a hash
 * of their content in their name, so browsers may keep them for ever.
 */
export async function servePage(
  scope: FastifyInstance,
  service: Service,
  folder: string,
): Promise<void> {
  await scope.register(helmet, {
    ...SHARED_HEADERS,
    contentSecurityPolicy: POLICY,
    enableCSPNonces: true,
  });
  guard(scope, service);
  const { base, prefix } = service.options;
  const page = readFileSync(join(folder, "index.html"), "utf8");
  scope.get(base, { schema: { hide: true } }, async (_request, reply) =>
    reply
      .type("text/html; charset=utf-8")
      .header("cache-control", "no-cache")
      .send(filled(page, { "sda-api": prefix, "csp-nonce": reply.cspNonce.style })),
  );
  await scope.register(fastifyStatic, {
    root: folder,
    prefix: base,
    wildcard: false,
    index: false,
    globIgnore: ["index.html"],
    decorateReply: false,
    dotfiles: "ignore",
    cacheControl: false,
    schemaHide: true,
    setHeaders(reply, path) {
      const hashed = path.startsWith(join(folder, "assets") + sep);
      reply.setHeader("cache-control", hashed ? "public, max-age=31536000, immutable" : "no-cache");
    },
  });
}

function filled(page: string, contents: Record<string, string>): string {
  return page.replace(/<meta name="([\w-]+)" content="[^"]*"/g, (tag, name: string) => {
    const content = Object.hasOwn(contents, name) ? contents[name] : undefined;
    return content === undefined ? tag : `<meta name="${name}" content="${content}"`;
  });
}
