import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import cors from "@fastify/cors";
import helmet from "@fastify/helmet";
import swagger from "@fastify/swagger";
import type { FastifyInstance, FastifyPluginAsync, HTTPMethods } from "fastify";
import fp from "fastify-plugin";
import { sendJson } from "./etag.js";
import { apiHeaders } from "./headers.js";
import { answerErrors, guard, identifyRequests } from "./hooks.js";
import { hasTooManyMembers } from "./json-members.js";
import { MAX_TIMEOUT_MS, refuse, resolveOptions, type SdaServerOptions } from "./options.js";
import { pageFolder, servePage } from "./page.js";
import { Problem } from "./problem.js";
import type { Api } from "./routes/api.js";
import { encodeRoutes } from "./routes/encode.js";
import { eventRoutes } from "./routes/events.js";
import { generateRoutes } from "./routes/generate.js";
import { healthRoutes } from "./routes/health.js";
import { modelRoutes } from "./routes/model.js";
import { modelsRoutes } from "./routes/models.js";
import { soundRoutes } from "./routes/sounds.js";
import { uploadRoutes } from "./routes/upload.js";
import { Service, VERSION } from "./service.js";
import { validatorCompiler } from "./validator.js";

const CORS_REQUEST_HEADERS = [
  "Authorization",
  "Content-Type",
  "If-Match",
  "If-None-Match",
  "Range",
  "X-Client-Id",
  "X-Request-Id",
];
const CORS_RESPONSE_HEADERS = [
  "Accept-Ranges",
  "Content-Disposition",
  "Content-Range",
  "ETag",
  "Location",
  "Retry-After",
  "X-Channels",
  "X-Frames",
  "X-Request-Id",
  "X-Sample-Rate",
  "X-Seed",
];
const METHODS: HTTPMethods[] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/** While the server closes, idle connections are closed at this interval. */
const CLOSE_IDLE_MS = 100;
/** Time for clients of stopped work to read their error before all connections close. */
const LAST_WORD_MS = 1000;
/** The same as a part of `shutdownTimeoutMs`, where that is short. */
const LAST_WORD_SHARE = 0.2;
const FASTIFY_PLUGIN_TIMEOUT_MS = 10_000;
const HOOK_SHARE = 0.8;

/**
 * A Fastify plugin that serves models over HTTP.
 *
 * All routes are in their own scopes, so hooks, headers, parsers and error handlers of the
 * application's other routes do not change. A route that the application already has at the path of
 * the page, `/metrics` or `/openapi.json` keeps that path. The last two are also under the prefix.
 *
 * @throws SdaError ERR_SDA_ARGUMENT (`details.option`); ERR_SDA_NOT_FOUND: the folder is missing
 * @example
 * ```js
 * import Fastify from "fastify";
 *
 * const app = Fastify();
 * await app.register(sdaServer, { modelsDir: "data/models" });
 * const url = await app.listen({ port: 0 }); // any free port
 * const response = await fetch(`${url}/api/models?query=drums`);
 * const { models } = await response.json();
 * console.log(models[0].name); // Kitchen Drums
 * await app.close();
 * ```
 */
export const sdaServer: FastifyPluginAsync<SdaServerOptions> = fp(
  async (app: FastifyInstance, given: SdaServerOptions) => {
    if (app.prefix !== "") {
      throw refuse("prefix", "the whole path: register the plugin in a scope without a prefix");
    }
    const options = resolveOptions(given);
    if (options.token === undefined && options.authorize === undefined) {
      app.log.warn(
        "small-dataset-audio-server has neither `token` nor `authorize`: it refuses all changes " +
          "of models",
      );
    }
    const service = await Service.open(options);
    closeWith(app, service);
    await app.register(async (scope) => {
      identifyRequests(scope, service);
      answerErrors(scope);
      let openapi: () => object = () => ({});
      await scope.register(
        async (api) => {
          openapi = await registerApi(api, service);
        },
        { prefix: options.prefix },
      );
      const beside = options.base.slice(0, -1);
      if (["metrics", "openapi.json"].every((name) => isFree(app, options.base + name))) {
        await scope.register(
          async (described) => {
            await described.register(helmet, apiHeaders(false));
            guard(described, service);
            describeRoutes(described, service, openapi);
          },
          { prefix: beside },
        );
      }
      const folder = options.page ? pageFolder() : undefined;
      if (folder !== undefined && isFree(app, options.base)) {
        await scope.register((page) => servePage(page, service, folder));
      }
    });
  },
  // Some routes are outside `prefix`, so Fastify must not apply this option to the whole plugin.
  { name: "small-dataset-audio-server", fastify: "5.x", encapsulate: false },
);

/** @returns a function that builds the OpenAPI document of the routes */
async function registerApi(scope: FastifyInstance, service: Service): Promise<() => object> {
  const { options } = service;
  const isShared = options.cors === true || options.cors.length > 0;
  await scope.register(helmet, apiHeaders(isShared));
  // An application that has registered @fastify/cors for all routes has done so for these, too.
  if (isShared && !scope.hasRequestDecorator("corsPreflightEnabled")) {
    await scope.register(cors, corsOptions(options.cors));
  }
  guard(scope, service);
  await scope.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Small DataSet Audio",
        description:
          "Audio models trained on small data sets: the library, the sliders of a model, its sound",
        version: VERSION,
        license: { name: "MIT", identifier: "MIT" },
      },
      servers: [{ url: "/" }],
      components: {
        securitySchemes: { token: { type: "http", scheme: "bearer" } },
      },
    },
  });
  scope.addHook("onRoute", (route) => {
    route.bodyLimit ??= service.options.limits.maxBodyBytes;
  });
  // The application's parsers must not read bodies of this API, and may have taken its types.
  scope.removeAllContentTypeParsers();
  const parseJson = scope.getDefaultJsonParser("error", "error");
  scope.addContentTypeParser<string>(
    "application/json",
    { parseAs: "string" },
    (request, body, done) => {
      if (hasTooManyMembers(body)) {
        throw new Problem(400, "ERR_SDA_ARGUMENT", "The body has too many fields.");
      }
      return parseJson(request, body, done);
    },
  );
  scope.setValidatorCompiler(validatorCompiler);
  scope.setSerializerCompiler(() => (value) => JSON.stringify(value));
  const answerNotFound = () => {
    throw new Problem(404, "ERR_NOT_FOUND", "Nothing exists at this address.");
  };
  scope.setNotFoundHandler(answerNotFound);
  const refuse = refuseOtherMethods(scope, isShared);

  const api = scope as unknown as Api;
  modelsRoutes(api, service);
  modelRoutes(api, service);
  generateRoutes(api, service);
  soundRoutes(api, service);
  encodeRoutes(api, service);
  uploadRoutes(api, service);
  eventRoutes(api, service);
  healthRoutes(api, service);
  describeRoutes(scope, service, () => scope.swagger());
  await scope.after(); // waits for the routes of inner scopes
  refuse();
  // Otherwise a route of the application for all addresses would answer for this prefix.
  scope.get("/*", { schema: { hide: true } }, answerNotFound);
  return () => scope.swagger();
}

function isFree(app: FastifyInstance, url: string): boolean {
  return !app.hasRoute({ method: "GET", url });
}

/** Adds `/openapi.json` and `/metrics` to the scope. */
function describeRoutes(scope: FastifyInstance, service: Service, openapi: () => object): void {
  scope.get("/openapi.json", { schema: { hide: true } }, async (request, reply) =>
    sendJson(request, reply, openapi()),
  );
  if (!service.options.metrics) return;
  const { metrics } = service;
  scope.get("/metrics", { schema: { hide: true } }, async (_request, reply) =>
    reply
      .type(metrics.contentType)
      .header("cache-control", "no-store")
      .send(await metrics.text()),
  );
}

/**
 * Notes the methods of every route that the scope gets from now on. The returned function adds 405
 * with `Allow` for all other methods.
 */
function refuseOtherMethods(scope: FastifyInstance, isShared: boolean): () => void {
  const known = new Map<string, Set<string>>();
  scope.addHook("onRoute", ({ routePath, method }) => {
    const methods = known.get(routePath) ?? new Set();
    for (const name of [method].flat()) methods.add(name);
    known.set(routePath, methods);
  });
  return () => {
    for (const [url, methods] of [...known]) {
      const allow = [...methods].sort().join(", ");
      const others = METHODS.filter((m) => !methods.has(m) && !(isShared && m === "OPTIONS"));
      if (url.includes("*") || others.length === 0) continue;
      scope.route({
        method: others,
        url,
        schema: { hide: true },
        handler() {
          const detail = `This address accepts only ${allow}.`;
          throw new Problem(405, "ERR_METHOD", detail, { headers: { allow } });
        },
      });
    }
  };
}

function corsOptions(origins: readonly string[] | true) {
  return {
    origin: origins === true ? true : [...origins],
    methods: ["GET", "HEAD", "POST", "PATCH", "DELETE"],
    allowedHeaders: CORS_REQUEST_HEADERS,
    exposedHeaders: CORS_RESPONSE_HEADERS,
    maxAge: 600,
  };
}

/**
 * Lets running work finish when the application closes. Event streams never end by themselves, so
 * they end first. Whatever clients do, all is closed after `shutdownTimeoutMs`.
 */
function closeWith(app: FastifyInstance, service: Service): void {
  const { shutdownTimeoutMs } = service.options.limits;
  const lastWordMs = Math.min(LAST_WORD_MS, shutdownTimeoutMs * LAST_WORD_SHARE);
  // Also knows the connections of HTTP/2 sessions, and those that have sent no whole request yet.
  app.server.on("connection", (socket: Socket) => service.requests.connected(socket));
  let deadline: NodeJS.Timeout | undefined;
  let closingIdle: NodeJS.Timeout | undefined;
  let over: () => void = () => {};
  const timeIsOver = new Promise<void>((done) => {
    over = done;
  });
  app.addHook("preClose", async () => {
    service.drain();
    deadline = setTimeout(() => {
      service.requests.stopAll();
      // Clients get time to read the error. Clients that neither send nor read would stay for ever.
      deadline = setTimeout(() => {
        service.requests.disconnectAll();
        over();
      }, lastWordMs);
    }, shutdownTimeoutMs - lastWordMs);
    // Node closes idle connections only once. A connection that becomes idle later would stay open
    // for its keep-alive time. Node counts a connection as idle even while the end of a response is
    // still being sent, so this waits until all responses are sent.
    const sent = service.requests.allSent().then(() => {
      closingIdle = setInterval(() => app.server.closeIdleConnections?.(), CLOSE_IDLE_MS).unref();
    });
    await Promise.race([sent, timeIsOver, sleep(hookTimeMs(app), undefined, { ref: false })]);
  });
  app.addHook("onClose", async () => {
    // Sound that ignores its abort must not delay the application.
    await Promise.race([service.close(), timeIsOver]);
    clearTimeout(deadline);
    clearInterval(closingIdle);
  });
}

/** Fastify fails the whole closing when one hook takes longer than `pluginTimeout`; 0: never. */
function hookTimeMs({ initialConfig }: FastifyInstance): number {
  const { pluginTimeout = FASTIFY_PLUGIN_TIMEOUT_MS } = initialConfig;
  return pluginTimeout > 0 ? pluginTimeout * HOOK_SHARE : MAX_TIMEOUT_MS;
}
