import cors from "@fastify/cors";
import helmet from "@fastify/helmet";
import swagger from "@fastify/swagger";
import type { FastifyInstance, FastifyPluginAsync, HTTPMethods } from "fastify";
import fp from "fastify-plugin";
import { sendJson } from "./etag.js";
import { apiHeaders } from "./headers.js";
import { answerErrors, guard, identifyRequests } from "./hooks.js";
import { refuse, resolveOptions, type SdaServerOptions } from "./options.js";
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
/** Between two looks, while a server closes, for connections whose answer is complete by now. */
const CLOSE_IDLE_MS = 100;
/** Between work that is stopped and the end of all connections. */
const LAST_WORD_MS = 1000;

/**
 * Models over HTTP, as a Fastify plugin:
 *
 * ```js
 * const app = Fastify();
 * app.register(sdaServer, { modelsDir: "./data/models" });
 * await app.listen({ port: 8080 });
 * ```
 *
 * All routes are in scopes of their own: hooks, headers, parsers and error handling of the application's other routes stay as
 * they are. Where the application has a route at the address of the page, of `/metrics` or of `/openapi.json` already, that
 * stays; the last two are under the prefix, too.
 *
 * @throws SdaError ERR_SDA_ARGUMENT (`details.option`); ERR_SDA_NOT_FOUND: there is no such folder
 */
export const sdaServer: FastifyPluginAsync<SdaServerOptions> = fp(
  async (app: FastifyInstance, given: SdaServerOptions) => {
    if (app.prefix !== "") {
      throw refuse("prefix", "the whole address: register the plugin where there is no prefix yet");
    }
    const options = resolveOptions(given);
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
  // The prefix is not of these routes alone, so Fastify must not take it for its own.
  { name: "small-dataset-audio-server", fastify: "5.x", encapsulate: false },
);

/** @returns what makes the description of all of its routes */
async function registerApi(scope: FastifyInstance, service: Service): Promise<() => object> {
  const { options } = service;
  const isShared = options.cors === true || options.cors.length > 0;
  await scope.register(helmet, apiHeaders(isShared));
  // An application that has set up cross-origin requests for all of its routes has done so for these.
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
          "Models of small data sets of sound: their library, their sliders and their sound",
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
  scope.addContentTypeParser("application/json", { parseAs: "string" }, parseJson);
  scope.setValidatorCompiler(validatorCompiler);
  scope.setSerializerCompiler(() => (value) => JSON.stringify(value));
  scope.setNotFoundHandler(() => {
    throw new Problem(404, "ERR_NOT_FOUND", "There is nothing at this address.");
  });
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
  await scope.after(); // routes of scopes within
  refuse();
  return () => scope.swagger();
}

function isFree(app: FastifyInstance, url: string): boolean {
  return !app.hasRoute({ method: "GET", url });
}

/** What describes the server: addresses of its own in each scope that it is called for. */
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

/** For each address that the scope is given from now on: what it does not do is 405, and Allow tells what it does. */
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
          const detail = `This address takes ${allow} alone.`;
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
 * Closing finishes what runs. The listeners' streams would never end by themselves, so they are ended first; work that takes
 * longer than it may is stopped.
 */
function closeWith(app: FastifyInstance, service: Service): void {
  let deadline: NodeJS.Timeout | undefined;
  let closingIdle: NodeJS.Timeout | undefined;
  app.addHook("preClose", async () => {
    service.drain();
    const { shutdownTimeoutMs } = service.options.limits;
    let over: () => void = () => {};
    const timeIsOver = new Promise<void>((done) => {
      over = done;
    });
    deadline = setTimeout(() => {
      service.requests.stopAll();
      // Those that are told so get the time to read it; those that send or take nothing would stay for ever.
      deadline = setTimeout(() => {
        over();
        app.server.closeAllConnections?.();
      }, LAST_WORD_MS);
    }, shutdownTimeoutMs);
    // Connections that were busy when the server closed would be kept alive for as long as idle ones may be.
    // What has been answered, but not sent, counts as idle from here on.
    await Promise.race([service.requests.allSent(), timeIsOver]);
    closingIdle = setInterval(() => app.server.closeIdleConnections?.(), CLOSE_IDLE_MS).unref();
  });
  app.addHook("onClose", async () => {
    clearTimeout(deadline);
    clearInterval(closingIdle);
    await service.close();
  });
}
