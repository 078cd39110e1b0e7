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
  if (route.httpPart === "body") {
    return (value: unknown) => {
      const wrong = firstWrong(route.schema as unknown as Shape, value, "");
      return wrong === undefined ? check(value) : { error: [wrong] as never };
    };
  }
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

/** An error in the form of the validator's own errors. */
interface Wrong {
  instancePath: string;
  message: string;
  params: Record<string, unknown>;
}

/**
 * The first unknown field, too long list or item of another type. TypeBox describes all errors of a
 * value: for a body of 1 MiB that is full of them, this takes half a second of the event loop.
 */
function firstWrong(shape: Shape, value: unknown, path: string): Wrong | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const wrong = (at: string, message: string) => ({ instancePath: at, message, params: {} });
  if (Array.isArray(value)) {
    const { type, items, maxItems = Number.POSITIVE_INFINITY } = shape;
    if (type !== undefined && type !== "array") return wrong(path, `must be ${type}`);
    if (value.length > maxItems) return wrong(path, `must not have more than ${maxItems} items`);
    const other = value.findIndex((item) => !hasType(item, items?.type));
    return other < 0 ? undefined : wrong(`${path}/${other}`, `must be ${items?.type}`);
  }
  if (shape.type !== "object") return wrong(path, `must be ${shape.type ?? "another value"}`);
  for (const name in value) {
    const known = Object.hasOwn(shape.properties ?? {}, name)
      ? shape.properties?.[name]
      : undefined;
    const at = `${path}/${name.slice(0, MAX_NAME)}`;
    if (known === undefined) return wrong(at, "is unknown");
    const found = firstWrong(known, (value as Record<string, unknown>)[name], at);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Longer names are cut off in an error. */
const MAX_NAME = 100;

function hasType(item: unknown, type: string | undefined): boolean {
  if (type === "integer") return Number.isInteger(item);
  return type === undefined || typeof item === type;
}

interface Shape {
  type?: string;
  properties?: Record<string, Shape>;
  items?: Shape;
  maxItems?: number;
  anyOf?: Shape[];
  const?: unknown;
}

function fromText(given: unknown, shape: Shape | undefined): unknown {
  if (shape?.type === "array" && !Array.isArray(given)) return [given];
  const isNumeric = (s: Shape | undefined) => s?.type === "integer" || s?.type === "number";
  const wanted = isNumeric(shape) || shape?.anyOf?.some(isNumeric);
  return wanted && typeof given === "string" && /^-?\d{1,15}$/.test(given) ? Number(given) : given;
}
