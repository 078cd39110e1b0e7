import { TypeBoxValidatorCompiler } from "@fastify/type-provider-typebox";
import type { FastifySchemaCompiler } from "fastify";
import type { TSchema } from "typebox";

/**
 * TypeBox's validator, for bodies as they are: what is no number is wrong. What an address says is text, of which numbers are
 * made where one is wanted and the text is one.
 */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = (route) => {
  // Of other parts it would make what it can: 1 of "true", and of "1.5".
  const check = TypeBoxValidatorCompiler({ ...route, httpPart: "body" });
  if (route.httpPart === "body") return check;
  const { properties } = route.schema as unknown as { properties: Record<string, Shape> };
  return (value: Record<string, unknown>) => {
    const converted: Record<string, unknown> = {};
    for (const [name, given] of Object.entries(value)) {
      converted[name] = fromText(
        given,
        Object.hasOwn(properties, name) ? properties[name] : undefined,
      );
    }
    return check(converted);
  };
};

interface Shape {
  type?: string;
  anyOf?: Shape[];
  const?: unknown;
}

function fromText(given: unknown, shape: Shape | undefined): unknown {
  if (shape?.type === "array" && !Array.isArray(given)) return [given];
  const isNumeric = (s: Shape | undefined) => s?.type === "integer" || s?.type === "number";
  const wanted = isNumeric(shape) || shape?.anyOf?.some(isNumeric);
  return wanted && typeof given === "string" && /^-?\d{1,15}$/.test(given) ? Number(given) : given;
}
