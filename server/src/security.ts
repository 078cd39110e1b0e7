/** Who may do what: the token, the page that asks (Origin), and the name by which the server is called (Host). */
import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyRequest } from "fastify";
import type { Action, ResolvedOptions } from "./options.js";
import { Problem } from "./problem.js";
import { ClientLeft } from "./request-signal.js";

const LOOPBACK = /^(127\.|::1$|::ffff:127\.)/;
const OWN_NAMES = /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/;

type Rules = Pick<ResolvedOptions, "token" | "authorize" | "cors" | "allowedHosts">;

/** @throws Problem 401 or 403; what `authorize` throws */
export async function checkAccess(
  request: FastifyRequest,
  action: Action,
  rules: Rules,
): Promise<void> {
  checkThere(request);
  checkHost(request, rules);
  if (request.method !== "GET" && request.method !== "HEAD") checkOrigin(request, rules);
  const decided = await rules.authorize?.(request, action);
  checkThere(request);
  if (decided === true) return;
  if (decided === false) throw new Problem(403, "ERR_FORBIDDEN", "You may not do that here.");
  if (action === "write") checkToken(request, rules);
}

/** Whether this client may change the library, as far as that can be told without asking for it. */
export async function mayWrite(request: FastifyRequest, rules: Rules): Promise<boolean> {
  try {
    await checkAccess(request, "write", rules);
    return true;
  } catch {
    return false;
  }
}

/** A connection that is gone has no addresses any more to tell where it came from. */
function checkThere({ raw }: FastifyRequest): void {
  if (raw.socket.destroyed) throw new ClientLeft("the client has left");
}

/** A page elsewhere may lead its own name to this machine (DNS rebinding); then that name is in Host. */
function checkHost(request: FastifyRequest, { allowedHosts }: Rules): void {
  if (allowedHosts === true || !isLoopback(request)) return;
  const name = (hostOf(request) ?? "").replace(/:\d+$/, "").toLowerCase();
  if (OWN_NAMES.test(name) || allowedHosts.includes(name)) return;
  throw new Problem(403, "ERR_HOST", "This server is not known by that name (see allowedHosts).");
}

/** Browsers send Origin with whatever another site's page makes them send. */
function checkOrigin(request: FastifyRequest, { cors }: Rules): void {
  const { origin } = request.headers;
  const host = hostOf(request);
  if (origin === undefined || cors === true || cors.includes(origin)) return;
  if (URL.canParse(origin) && new URL(origin).host === host) return;
  throw new Problem(403, "ERR_ORIGIN", "Pages of other sites may not do that (see cors).");
}

/** HTTP/2 has it under another name. */
function hostOf({ headers }: FastifyRequest): string | undefined {
  const authority = headers[":authority"];
  return typeof authority === "string" ? authority : headers.host;
}

function checkToken(request: FastifyRequest, { token }: Rules): void {
  if (token === undefined) {
    if (isLocal(request)) return;
    throw new Problem(
      403,
      "ERR_NO_TOKEN",
      "Without a token, this server can be written to from its own machine alone.",
    );
  }
  const [, given] = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? "") ?? [];
  if (given !== undefined && sameText(given, token)) return;
  throw new Problem(401, "ERR_TOKEN", "This needs the server's token.", {
    headers: { "www-authenticate": 'Bearer realm="small-dataset-audio"' },
  });
}

/** In a time that doesn't tell where they part. */
function sameText(a: string, b: string): boolean {
  const hash = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}

/** Through a proxy on this machine, anybody may come over loopback. */
function isLocal(request: FastifyRequest): boolean {
  const { headers } = request;
  return isLoopback(request) && !headers.forwarded && !headers["x-forwarded-for"];
}

/** By the address that took the connection; a pipe has none, and is of this machine. */
function isLoopback(request: FastifyRequest): boolean {
  const { localAddress } = request.raw.socket;
  return localAddress === undefined || LOOPBACK.test(localAddress);
}
