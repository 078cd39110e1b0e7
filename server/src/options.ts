import { availableParallelism, tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import type { FastifyRequest } from "fastify";
import { type Device, GENERATION_LIMITS, SdaError } from "small-dataset-audio";

/** How much a server takes on. Bytes, milliseconds, and counts. */
export interface ServerLimits {
  /** Sounds that are made, or listened to, at once; default twice the processors, at least 4 */
  maxRunning: number;
  /** Requests that wait for one of these; one more is 429. Default 64 */
  maxQueued: number;
  /** Longest a request for sound may take, its waiting included; default 120,000 */
  timeoutMs: number;
  /** Longest a client may take none of the sound that is ready for it; default 30,000 */
  stallTimeoutMs: number;
  /** Longest sound, in seconds, up to 60, which is also the default */
  maxDurationS: number;
  /** Of a JSON body; default 1 MiB */
  maxBodyBytes: number;
  /** Of a WAV file to encode; default 64 MiB */
  maxWavBytes: number;
  /** Of a model file to add; default 1 GiB */
  maxUploadBytes: number;
  /** Uploads at once; default 4. As many again may wait */
  maxUploads: number;
  /** Longest an upload may take; default 600,000 */
  uploadTimeoutMs: number;
  /** What finished sounds may take in memory; default 256 MiB */
  maxSoundBytes: number;
  /** What models may take in memory, see `ModelCache`; default 1 GiB */
  maxModelBytes: number;
  /** Event streams at once; default 1000 */
  maxEventClients: number;
  /** How long work may go on once the server closes; default 10,000 */
  shutdownTimeoutMs: number;
}

/** What a request wants to do: look, make sound or latents, or change the library. */
export type Action = "read" | "generate" | "write";

/**
 * Who may do what. `false` refuses (403), `true` allows, and then no token is asked for; `undefined` leaves it to the token.
 * Throw an error with `statusCode` 401 or 403 for another refusal.
 */
export type Authorize = (
  request: FastifyRequest,
  action: Action,
) => boolean | undefined | Promise<boolean | undefined>;

/** Options of the plugin. */
export interface SdaServerOptions {
  /** The folder of the models; it must be there */
  modelsDir: string | URL;
  /** Where the API is; default "/api". `/metrics`, `/openapi.json` and the page are beside it */
  prefix?: string;
  limits?: Partial<ServerLimits>;
  authorize?: Authorize;
  /** What `Authorization: Bearer …` must have for writing. Without one, only connections accepted at a loopback address write */
  token?: string;
  /** Origins whose pages may use the API, such as "https://studio.example"; default none. true: all */
  cors?: readonly string[] | true;
  /** Names that `Host` may have on loopback, beside localhost's own; true: any. For a proxy on the same machine */
  allowedHosts?: readonly string[] | true;
  /** Whether the page is served; default true */
  page?: boolean;
  /** Whether `/metrics` is served; default true */
  metrics?: boolean;
  /** Where uploads are until they are whole: a folder that is there; default the system's for temporary files */
  uploadDir?: string | URL;
  /** Where sound is made; default "auto" */
  device?: Device;
  /** Milliseconds between two looks at the library's index, for file systems that tell of no changes; default 2000 */
  pollMs?: number;
}

export interface ResolvedOptions {
  modelsDir: string;
  prefix: string;
  /** What the prefix lies in, ending in "/" */
  base: string;
  limits: ServerLimits;
  authorize: Authorize | undefined;
  token: string | undefined;
  cors: readonly string[] | true;
  allowedHosts: readonly string[] | true;
  page: boolean;
  metrics: boolean;
  uploadDir: string;
  device: Device;
  pollMs: number;
}

const MIB = 2 ** 20;

/** Timers take no more. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export function defaultLimits(): ServerLimits {
  return {
    maxRunning: Math.max(4, 2 * availableParallelism()),
    maxQueued: 64,
    timeoutMs: 120_000,
    stallTimeoutMs: 30_000,
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
  if (token !== undefined && (typeof token !== "string" || token.length === 0)) {
    throw refuse("token", "a string that is not empty");
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
    uploadDir: checkFolder("uploadDir", options.uploadDir ?? tmpdir()),
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
      throw refuse(`limits.${name}`, "absent: there is no such limit");
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
