import type { FastifyHelmetOptions } from "@fastify/helmet";

/** What all answers say to browsers. HTTPS is for the proxy in front to insist on: it knows whether there is any. */
export const SHARED_HEADERS = {
  strictTransportSecurity: false,
  referrerPolicy: { policy: "no-referrer" },
  xFrameOptions: { action: "deny" },
  crossOriginEmbedderPolicy: { policy: "require-corp" },
  crossOriginOpenerPolicy: { policy: "same-origin" },
  crossOriginResourcePolicy: { policy: "same-origin" },
} as const satisfies FastifyHelmetOptions;

/** Answers of the API show nothing by themselves. */
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
