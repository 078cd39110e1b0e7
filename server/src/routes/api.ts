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
    /** What a request of this route wants to do; default "read" */
    sdaAction?: Action;
  }
}

/** A Fastify instance whose routes are typed by their schemas. */
export type Api = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression<RawServerDefault>,
  RawReplyDefaultExpression<RawServerDefault>,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** Bytes, for OpenAPI. */
export function binary(type: string, description: string) {
  return {
    description,
    content: { [type]: { schema: { type: "string", format: "binary" } as const } },
  };
}
