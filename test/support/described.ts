/** Compares what `load` returns with descriptions made by scripts/python/golden_values.py. */
import { createHash } from "node:crypto";
import { expect } from "vitest";
import {
  Complex,
  NdArray,
  OrderedDict,
  PyGlobal,
  PyObject,
  Tensor,
  Tuple,
  type TypedArray,
} from "../../lib/torch/index.js";

// biome-ignore lint/suspicious/noExplicitAny: one object with one telling key, of many
export type Description = any;

type Numbers = Map<number, unknown>;

/** `where` is the path to the value, for messages. */
export function expectDescribed(
  actual: unknown,
  description: Description,
  where = "value",
  seen: Numbers = new Map(),
): void {
  if (description === null || typeof description !== "object") {
    expect(actual, where).toBe(description);
    return;
  }
  if ("ref" in description) {
    expect(actual, where).toBe(seen.get(description.ref));
    return;
  }
  if ("id" in description) seen.set(description.id, actual);
  const [kind] = Object.keys(description).filter((key) => key !== "id" && key !== "attributes");
  const content = description[kind as string];
  const each = (items: unknown[]) => {
    expect(items.length, where).toBe(content.length);
    items.forEach((item, i) => {
      expectDescribed(item, content[i], `${where}[${i}]`, seen);
    });
  };
  switch (kind) {
    case "int":
      expect(actual, where).toBe(BigInt(content));
      break;
    case "float":
      expect(actual, where).toBe(python(content));
      break;
    case "repeat":
      expect(actual === content[0].repeat(content[1]), where).toBe(true);
      break;
    case "bytes":
    case "bytearray":
      expect(actual, where).toBeInstanceOf(Uint8Array);
      expect(Buffer.from(actual as Uint8Array).toString("hex"), where).toBe(content);
      break;
    case "complex":
      expect(actual, where).toBeInstanceOf(Complex);
      expectDescribed((actual as Complex).re, content[0], `${where}.re`);
      expectDescribed((actual as Complex).im, content[1], `${where}.im`);
      break;
    case "list":
      expect(Array.isArray(actual) && !(actual instanceof Tuple), where).toBe(true);
      each(actual as unknown[]);
      break;
    case "tuple":
      expect(actual, where).toBeInstanceOf(Tuple);
      each(actual as unknown[]);
      break;
    case "set":
    case "frozenset":
      // Members of sets are plain values, described in another order.
      expect(actual, where).toBeInstanceOf(Set);
      expect(actual, where).toEqual(new Set(content));
      break;
    case "dict":
    case "OrderedDict":
      expect(actual, where).toBeInstanceOf(kind === "dict" ? Map : OrderedDict);
      expectEntries(actual as Map<unknown, unknown>, content, where, seen);
      if (description.attributes) {
        const attributes = (actual as OrderedDict).attributes ?? new Map();
        expectEntries(
          attributes,
          Object.entries(description.attributes),
          `${where}.__dict__`,
          seen,
        );
      }
      break;
    case "tensor":
      expect(actual, where).toBeInstanceOf(Tensor);
      expectElements(actual as Tensor, content, where);
      if (description.attributes === undefined) {
        expect((actual as Tensor).attributes, where).toBeUndefined();
      } else {
        const attributes = (actual as Tensor).attributes as Map<string, unknown>;
        expectEntries(
          attributes,
          Object.entries(description.attributes),
          `${where}.__dict__`,
          seen,
        );
      }
      break;
    case "ndarray":
      expect(actual, where).toBeInstanceOf(NdArray);
      expectElements(actual as Tensor, content, where);
      break;
    case "storage":
      expect(actual, where).toBeInstanceOf(Tensor);
      expectElements(
        actual as Tensor,
        { ...content, shape: [(actual as Tensor).data.length] },
        where,
      );
      break;
    case "scalar":
      expect(actual, where).toStrictEqual(scalar(content.dtype, Buffer.from(content.hex, "hex")));
      break;
    case "enum": {
      const [module, name, value] = content;
      expect(actual, where).toBeInstanceOf(PyObject);
      expect(actual, where).toMatchObject({ module, name, args: [value] });
      break;
    }
    case "version":
      expect(actual, where).toBe(content);
      break;
    case "torch":
      expectTorch(actual, content, where);
      break;
    default:
      throw new Error(`${where}: nothing known of ${JSON.stringify(description).slice(0, 200)}`);
  }
}

function expectEntries(
  map: Map<unknown, unknown>,
  entries: [Description, Description][],
  where: string,
  seen: Numbers,
): void {
  expect(map.size, where).toBe(entries.length);
  [...map].forEach(([key, value], i) => {
    const [expectedKey, expectedValue] = entries[i] as [Description, Description];
    expectDescribed(key, expectedKey, `${where}: key ${i}`, seen);
    expectDescribed(value, expectedValue, `${where}.${String(key)}`, seen);
  });
}

function expectElements(tensor: Tensor, content: Description, where: string): void {
  expect(tensor.dtype, where).toBe(content.dtype);
  expect(tensor.shape, where).toEqual(content.shape);
  const bytes = bytesOf(tensor.data);
  if (content.hex !== undefined) expect(bytes.toString("hex"), where).toBe(content.hex);
  if (content.sha256) expect(createHash("sha256").update(bytes).digest("hex")).toBe(content.sha256);
}

function bytesOf(data: TypedArray): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

/** The float with this Python repr. */
function python(repr: string): number {
  if (repr === "inf") return Infinity;
  return repr === "-inf" ? -Infinity : Number(repr === "nan" ? "NaN" : repr);
}

function expectTorch(actual: unknown, text: string, where: string): void {
  const size = /^torch\.Size\(\[(.*)\]\)$/.exec(text);
  if (size) {
    expect(actual, where).toBeInstanceOf(Tuple);
    expect((actual as unknown[]).join(", "), where).toBe(size[1]);
  } else if (text.startsWith("torch.")) {
    expect(actual, where).toStrictEqual(new PyGlobal("torch", text.slice("torch.".length)));
  } else {
    expect(actual, where).toMatchObject({ module: "torch", name: "device", args: [text] });
  }
}

/** The value of a numpy scalar as `load` returns it. */
function scalar(dtype: string, bytes: Buffer): unknown {
  const [, kind, bits] = /^([a-z]+)(\d*)$/.exec(dtype) ?? [];
  const width = Number(bits) / 8;
  if (kind === "bool") return bytes[0] !== 0;
  if (kind === "float") return float(bytes, width);
  if (kind === "complex") {
    return new Complex(float(bytes, width / 2), float(bytes.subarray(width / 2), width / 2));
  }
  const wide = BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);
  const value = kind === "int" ? BigInt.asIntN(width * 8, wide) : wide;
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

function float(bytes: Buffer, width: number): number {
  if (width === 8) return bytes.readDoubleLE();
  if (width === 4) return bytes.readFloatLE();
  const bits = bytes.readUInt16LE();
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const sign = bits >> 15 ? -1 : 1;
  if (exponent === 31) return fraction ? Number.NaN : sign * Infinity;
  return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24);
}
