import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from "fastify";
import type { Action } from "../options.js";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Kind of the route's requests; default "read" */
    sdaAction?: Action;
  }
}

/** A Fastify instance that types routes by their schemas. */
export type Api = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression<RawServerDefault>,
  RawReplyDefaultExpression<RawServerDefault>,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** A response of bytes, as OpenAPI describes it. */
export function binary(type: string, description: string) {
  return {
    description,
    content: { [type]: { schema: { type: "string", format: "binary" } as const } },
  };
}
