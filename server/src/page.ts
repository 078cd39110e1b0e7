import { existsSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import helmet from "@fastify/helmet";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";
import { SHARED_HEADERS } from "./headers.js";
import { guard } from "./hooks.js";
import type { Service } from "./service.js";

/** Beside the compiled server; from its sources, where the build puts it. */
const PLACES = ["./page/", "../dist/page/"].map((place) =>
  fileURLToPath(new URL(place, import.meta.url)),
);

/** What the page may load: what comes from this server, sounds and pictures that it makes itself, and nothing else. */
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

/** @returns the folder of the built page; undefined where it isn't built */
export function pageFolder(): string | undefined {
  return PLACES.find((place) => existsSync(join(place, "index.html")));
}

/**
 * The page and its files. The page itself is filled in for each request: where the API is, and the nonce of its styles, which
 * a component that makes style elements must have. Files whose names have a hash of their content never change.
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
