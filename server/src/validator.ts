import { TypeBoxValidatorCompiler } from "@fastify/type-provider-typebox";
import type { FastifySchemaCompiler } from "fastify";
import type { TSchema } from "typebox";

/**
 * TypeBox's validator without its conversions: in a body, "1" is not a number. Parameters of an
 * address are always text, so text of digits is converted where the schema expects a number.
 */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = (route) => {
  // As "body", because for other parts the compiler converts too much: "true" and "1.5" become 1.
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
