import { HealthSchema, problems, SessionSchema } from "../schemas.js";
import { mayWrite } from "../security.js";
import { type Service, VERSION } from "../service.js";
import type { Api } from "./api.js";

/** Routes about the state of the server and the rights of the client. */
export function healthRoutes(api: Api, service: Service): void {
  const { library, options } = service;

  api.get(
    "/health",
    {
      schema: {
        operationId: "getHealth",
        summary: "State of the server",
        tags: ["server"],
        response: { 200: HealthSchema, 503: HealthSchema },
      },
    },
    async (_request, reply) => {
      const isWell = !service.closing && (await canRead());
      return reply
        .code(isWell ? 200 : 503)
        .header("cache-control", "no-store")
        .send({
          status: isWell ? "ok" : "unavailable",
          models: library.count,
          engine: service.engine,
          version: VERSION,
        });
    },
  );

  async function canRead(): Promise<boolean> {
    try {
      await library.current();
      return true;
    } catch {
      return false;
    }
  }

  api.get(
    "/session",
    {
      schema: {
        operationId: "getSession",
        summary: "Rights and limits of this client",
        tags: ["server"],
        response: { 200: SessionSchema, ...problems },
      },
    },
    async (request, reply) => {
      const { maxUploadBytes, maxDurationS } = options.limits;
      return reply.header("cache-control", "no-store").send({
        writable: await mayWrite(request, options),
        tokenRequired: typeof options.token === "string",
        maxUploadBytes,
        maxDurationS,
        version: VERSION,
      });
    },
  );
}
