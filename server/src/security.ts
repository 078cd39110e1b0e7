/** Access control: `Host`, `Origin`, the `authorize` function and the token. */
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
  checkConnected(request);
  checkHost(request, rules);
  const isChange = request.method !== "GET" && request.method !== "HEAD";
  if (isChange && !isSafeFromAnyPage(request, action, rules)) checkOrigin(request, rules);
  const decided = await rules.authorize?.(request, action);
  checkConnected(request);
  if (decided === true) return;
  if (decided === false) throw new Problem(403, "ERR_FORBIDDEN", "This request is not allowed.");
  if (action === "write") checkToken(request, rules);
}

/**
 * Whether a page of another site cannot make this request, or gains nothing by it. Then `Origin` is
 * not checked: a proxy may have replaced `Host`, and a page of this server would be refused.
 */
function isSafeFromAnyPage(request: FastifyRequest, action: Action, rules: Rules): boolean {
  if (action === "generate") return asksFirst(request);
  // Only a page that knows the token can send it. Where the token alone decides, a request without
  // it gets 401, so that the page asks for the token.
  const isTokenAlone = typeof rules.token === "string" && rules.authorize === undefined;
  return hasToken(request, rules) || (action === "write" && isTokenAlone);
}

/** Whether a request like this one may change the library. */
export async function mayWrite(request: FastifyRequest, rules: Rules): Promise<boolean> {
  try {
    await checkAccess(request, "write", rules);
    return true;
  } catch {
    return false;
  }
}

/** A closed socket has no addresses, so a check of them would take the client for a local one. */
function checkConnected({ raw }: FastifyRequest): void {
  if (raw.socket.destroyed) throw new ClientLeft("the client has disconnected");
}

/** A foreign site may resolve its name to this machine (DNS rebinding); `Host` shows that name. */
function checkHost(request: FastifyRequest, { allowedHosts }: Rules): void {
  if (allowedHosts === true || !isLoopback(request)) return;
  const name = (hostOf(request) ?? "").replace(/:\d+$/, "").toLowerCase();
  if (OWN_NAMES.test(name) || allowedHosts.includes(name)) return;
  const detail =
    "The name in Host is not allowed. Start the server with this name in allowedHosts " +
    "(sda serve --allowed-host), or let the proxy send the server's own address as Host.";
  throw new Problem(403, "ERR_HOST", detail);
}

/** The types of a body that a page may send to another site without asking that site first. */
const SIMPLE_TYPES = /^(text\/plain|multipart\/form-data|application\/x-www-form-urlencoded)\b/i;

/**
 * Whether a page of another site could only make this request after a CORS preflight, which this
 * server refuses.
 */
function asksFirst({ headers }: FastifyRequest): boolean {
  const type = headers["content-type"]?.trim() ?? "";
  return type !== "" && !SIMPLE_TYPES.test(type);
}

/** Browsers send `Origin` with every request other than GET and HEAD that a page makes. */
function checkOrigin(request: FastifyRequest, { cors }: Rules): void {
  const { origin } = request.headers;
  const host = hostOf(request);
  if (origin === undefined || cors === true || cors.includes(origin)) return;
  if (URL.canParse(origin) && new URL(origin).host === host) return;
  throw new Problem(
    403,
    "ERR_ORIGIN",
    "Pages of other sites may not make this request (see cors). Behind a proxy, this page needs " +
      "the token, or a proxy that passes Host on.",
  );
}

/** The `Host` header; HTTP/2 names it `:authority`. */
function hostOf({ headers }: FastifyRequest): string | undefined {
  const authority = headers[":authority"];
  return typeof authority === "string" ? authority : headers.host;
}

/**
 * No property of a request tells a stranger behind a plain reverse proxy from a local client, so
 * writing needs a token unless `token` is false.
 */
function checkToken(request: FastifyRequest, rules: Rules): void {
  const { token } = rules;
  if (token === false) {
    if (isLocal(request)) return;
    throw noToken("Without a token, only clients on the server's own machine may write.");
  }
  if (token === undefined) {
    throw noToken("This server changes no models: it was started without a token (see token).");
  }
  if (hasToken(request, rules)) return;
  throw new Problem(401, "ERR_TOKEN", "This request requires the server's token.", {
    headers: { "www-authenticate": 'Bearer realm="small-dataset-audio"' },
  });
}

function noToken(detail: string): Problem {
  return new Problem(403, "ERR_NO_TOKEN", detail);
}

function hasToken(request: FastifyRequest, { token }: Rules): boolean {
  if (typeof token !== "string") return false;
  const [, given] = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? "") ?? [];
  return given !== undefined && sameText(given, token);
}

/** Compares in constant time, so that the time does not reveal a correct beginning. */
function sameText(a: string, b: string): boolean {
  const hash = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}

/**
 * A proxy on this machine connects over loopback for any client. Its headers reveal it, but many
 * proxies send none.
 */
function isLocal(request: FastifyRequest): boolean {
  const { headers } = request;
  return isLoopback(request) && !headers.forwarded && !headers["x-forwarded-for"];
}

/** Checks the server's side of the connection. A pipe has no address; it is local. */
function isLoopback(request: FastifyRequest): boolean {
  const { localAddress } = request.raw.socket;
  return localAddress === undefined || LOOPBACK.test(localAddress);
}
