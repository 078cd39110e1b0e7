import type { FastifyHelmetOptions } from "@fastify/helmet";

/**
 * Security headers of all responses. There is no Strict-Transport-Security: only the proxy in
 * front knows whether the site uses HTTPS.
 */
export const SHARED_HEADERS = {
  strictTransportSecurity: false,
  referrerPolicy: { policy: "no-referrer" },
  xFrameOptions: { action: "deny" },
  crossOriginEmbedderPolicy: { policy: "require-corp" },
  crossOriginOpenerPolicy: { policy: "same-origin" },
  crossOriginResourcePolicy: { policy: "same-origin" },
} as const satisfies FastifyHelmetOptions;

/** Security headers of the API. Its responses are not pages, so they may load nothing. */
export function apiHeaders(crossOrigin: boolean): FastifyHelmetOptions {
  return {
    ...SHARED_HEADERS,
    crossOriginResourcePolicy: { policy: crossOrigin ? "cross-origin" : "same-origin" },
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
  };
}

/**
 * An option of routes that send sound or files: @fastify/compress of the application leaves their
 * responses as they are, because clients need Content-Length, and samples get hardly smaller.
 */
export const UNCOMPRESSED: object = { compress: false };
