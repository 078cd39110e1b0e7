import { endWithConnection } from "../request-signal.js";
import { EventsQuery, problems } from "../schemas.js";
import type { Service } from "../service.js";
import { type Api, binary } from "./api.js";

/** The stream of server-sent events. */
export function eventRoutes(api: Api, { events }: Service): void {
  api.get(
    "/events",
    {
      exposeHeadRoute: false,
      schema: {
        operationId: "listen",
        summary:
          "Server-sent events: library, health, and progress of requests with this client id",
        tags: ["events"],
        querystring: EventsQuery,
        response: { 200: binary("text/event-stream", "A stream without an end"), ...problems },
      },
    },
    async (request, reply) => {
      const stream = events.open(request.query.clientId);
      reply.headers({
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "x-accel-buffering": "no", // otherwise nginx buffers the events
      });
      endWithConnection(stream, request.raw.socket);
      return reply.send(stream);
    },
  );
}
