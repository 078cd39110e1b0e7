import { endWithConnection } from "../request-signal.js";
import { EventsQuery, problems } from "../schemas.js";
import type { Service } from "../service.js";
import { type Api, binary } from "./api.js";

/** What happens, as it happens. */
export function eventRoutes(api: Api, { events }: Service): void {
  api.get(
    "/events",
    {
      exposeHeadRoute: false,
      schema: {
        operationId: "listen",
        summary: "Server-sent events: library, progress (of requests that name clientId), health",
        tags: ["events"],
        querystring: EventsQuery,
        response: { 200: binary("text/event-stream", "Without an end"), ...problems },
      },
    },
    async (request, reply) => {
      const stream = events.open(request.query.clientId);
      reply.headers({
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "x-accel-buffering": "no", // nginx would keep events back
      });
      endWithConnection(stream, request.raw.socket);
      return reply.send(stream);
    },
  );
}
