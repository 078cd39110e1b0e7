import { existsSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import type { FastifyRequest } from "fastify";
import { type Device, GENERATION_LIMITS, SdaError } from "small-dataset-audio";

/** Limits of a server. Sizes are in bytes, times in milliseconds. */
export interface ServerLimits {
  /** Requests for sound or latents that run at once; default twice the processors, at least 4 */
  maxRunning: number;
  /** Requests for sound or latents that wait; one more is refused with 429. Default 64 */
  maxQueued: number;
  /** Longest time of a request for sound or latents, waiting included; default 120,000 */
  timeoutMs: number;
  /** Longest pause of a client that reads or sends a sound; default 30,000 */
  stallTimeoutMs: number;
  /** Pause of a client that reads a sound, after which its place serves others; default 1000 */
  lendAfterMs: number;
  /** Longest sound in seconds, at most 60; default 60 */
  maxDurationS: number;
  /** Largest JSON body; default 1 MiB */
  maxBodyBytes: number;
  /** Largest WAV file to encode; default 64 MiB */
  maxWavBytes: number;
  /** Largest model file to upload; default 1 GiB */
  maxUploadBytes: number;
  /** Uploads at once; default 4. The same number may wait */
  maxUploads: number;
  /** Longest time of an upload; default 600,000 */
  uploadTimeoutMs: number;
  /** Memory for finished sounds; default 256 MiB */
  maxSoundBytes: number;
  /** Memory for models, see `ModelCache`; default 1 GiB */
  maxModelBytes: number;
  /** Open event streams; default 1000 */
  maxEventClients: number;
  /**
   * Time for the server to close; default 10,000. In the last second of it, work that is still
   * running is stopped
   */
  shutdownTimeoutMs: number;
}

/** Kind of a request: "read", "generate" (sound or latents) or "write" (change the library). */
export type Action = "read" | "generate" | "write";

/**
 * Decides whether a request is allowed. `false` refuses it (403), `true` allows it without a token,
 * `undefined` leaves the decision to the token. Throw an error with `statusCode` 401 or 403 to
 * refuse with that status.
 */
export type Authorize = (
  request: FastifyRequest,
  action: Action,
) => boolean | undefined | Promise<boolean | undefined>;

/** Options of the plugin. */
export interface SdaServerOptions {
  /** The models folder; it must exist */
  modelsDir: string | URL;
  /** Path of the API; default "/api". The page, `/metrics` and `/openapi.json` are beside it */
  prefix?: string;
  limits?: Partial<ServerLimits>;
  authorize?: Authorize;
  /**
   * Token that writing requires, as `Authorization: Bearer …`. Without a token and without
   * `authorize`, nobody may write. `false` lets all connections to a loopback address write: unsafe
   * behind a reverse proxy, which makes such a connection for each of its clients
   */
  token?: string | false;
  /** Origins whose pages may use the API, such as "https://studio.example"; true: all origins */
  cors?: readonly string[] | true;
  /**
   * Further names that `Host` may have on loopback, for a proxy on the same machine; true: any.
   * Names of localhost are always allowed
   */
  allowedHosts?: readonly string[] | true;
  /** Whether the page is served; default true */
  page?: boolean;
  /** Whether `/metrics` is served; default true */
  metrics?: boolean;
  /** Folder for incomplete uploads; it must exist. Default: the system's temporary folder */
  uploadDir?: string | URL;
  /** Device of the sound engine; default "auto" */
  device?: Device;
  /**
   * Milliseconds between two checks of the library's index, for file systems without change
   * events; default 2000
   */
  pollMs?: number;
}

export interface ResolvedOptions {
  modelsDir: string;
  prefix: string;
  /** The prefix without its last segment, ending in "/" */
  base: string;
  limits: ServerLimits;
  authorize: Authorize | undefined;
  token: string | false | undefined;
  cors: readonly string[] | true;
  allowedHosts: readonly string[] | true;
  page: boolean;
  metrics: boolean;
  uploadDir: string;
  device: Device;
  pollMs: number;
}

const MIB = 2 ** 20;

/** The longest delay of a timer in Node. */
export const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export function defaultLimits(): ServerLimits {
  return {
    maxRunning: Math.max(4, 2 * availableParallelism()),
    maxQueued: 64,
    timeoutMs: 120_000,
    stallTimeoutMs: 30_000,
    lendAfterMs: 1000,
    maxDurationS: GENERATION_LIMITS.durationS.max,
    maxBodyBytes: MIB,
    maxWavBytes: 64 * MIB,
    maxUploadBytes: 1024 * MIB,
    maxUploads: 4,
    uploadTimeoutMs: 600_000,
    maxSoundBytes: 256 * MIB,
    maxModelBytes: 1024 * MIB,
    maxEventClients: 1000,
    shutdownTimeoutMs: 10_000,
  };
}

/** @throws SdaError ERR_SDA_ARGUMENT with `details.option` */
export function resolveOptions(options: SdaServerOptions): ResolvedOptions {
  const { modelsDir, token, authorize, cors = [], allowedHosts = [] } = options;
  const prefix = checkPrefix(options.prefix ?? "/api");
  if (token !== undefined && token !== false && (typeof token !== "string" || token === "")) {
    throw refuse("token", "a string that is not empty, or false");
  }
  if (authorize !== undefined && typeof authorize !== "function") {
    throw refuse("authorize", "a function");
  }
  return {
    modelsDir: checkFolder("modelsDir", modelsDir),
    prefix,
    base: prefix.slice(0, prefix.lastIndexOf("/") + 1),
    limits: checkLimits(options.limits ?? {}),
    authorize,
    token,
    cors: checkOrigins(cors),
    allowedHosts: checkHosts(allowedHosts),
    page: options.page ?? true,
    metrics: options.metrics ?? true,
    uploadDir: options.uploadDir === undefined ? tmpdir() : checkUploadDir(options.uploadDir),
    device: options.device ?? "auto",
    pollMs: checkRange("pollMs", options.pollMs ?? 2000, 10, MAX_TIMEOUT_MS),
  };
}

export function refuse(option: string, expected: string): SdaError {
  return new SdaError("ERR_SDA_ARGUMENT", `${option} must be ${expected}`, { option });
}

function checkFolder(option: string, folder: unknown): string {
  const path = folder instanceof URL ? fileURLToPath(folder) : folder;
  if (typeof path !== "string" || path === "") throw refuse(option, "a path or a file: URL");
  return path;
}

function checkUploadDir(folder: unknown): string {
  const path = checkFolder("uploadDir", folder);
  if (!existsSync(path)) throw refuse("uploadDir", "an existing folder");
  return path;
}

function checkPrefix(prefix: unknown): string {
  if (typeof prefix !== "string" || !/^(\/[\w.~-]+)+$/.test(prefix)) {
    throw refuse("prefix", 'a path such as "/api"');
  }
  return prefix;
}

function checkLimits(given: Partial<ServerLimits>): ServerLimits {
  const limits = defaultLimits();
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(limits, name))
      throw refuse(`limits.${name}`, "absent: no limit has this name");
    if (value === undefined) continue;
    limits[name as keyof ServerLimits] = checkRange(`limits.${name}`, value, 0, largest(name));
  }
  if (limits.maxRunning < 1) throw refuse("limits.maxRunning", "1 or more");
  if (limits.maxUploads < 1) throw refuse("limits.maxUploads", "1 or more");
  return limits;
}

function largest(limit: string): number {
  if (limit === "maxDurationS") return GENERATION_LIMITS.durationS.max;
  return limit.endsWith("Ms") ? MAX_TIMEOUT_MS : Number.POSITIVE_INFINITY;
}

function checkRange(option: string, value: unknown, least: number, most: number): number {
  if (typeof value !== "number" || !(value >= least && value <= most)) {
    throw refuse(option, `a number from ${least} to ${most}`);
  }
  return value;
}

function checkOrigins(cors: unknown): readonly string[] | true {
  if (cors === true) return true;
  if (!Array.isArray(cors)) throw refuse("cors", "an array of origins, or true");
  return cors.map((origin) => {
    if (typeof origin === "string" && URL.canParse(origin) && new URL(origin).origin !== "null") {
      return new URL(origin).origin;
    }
    throw refuse("cors", 'an array of origins such as "https://studio.example", or true');
  });
}

function checkHosts(hosts: unknown): readonly string[] | true {
  if (hosts === true) return true;
  if (!Array.isArray(hosts) || !hosts.every((host) => typeof host === "string")) {
    throw refuse("allowedHosts", "an array of host names, or true");
  }
  return hosts.map((host) => host.toLowerCase());
}
