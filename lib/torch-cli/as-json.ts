/** Values of a checkpoint as JSON, for people and scripts. */
import { isMap, isSet, isUint8Array } from "../base/realm.js";
import { count } from "../values/strided.js";
import { itemsPerElement } from "../values/tensor-data.js";
import { Complex, OrderedDict, PyGlobal, PyObject, Tensor } from "../values/values.js";

interface Options {
  /** Also the elements of tensors. Default: only their types and shapes */
  elements?: boolean;
}

/**
 * A value that JSON.stringify can write. What JSON has no form for is an object that says what it
 * is: `{ tensor, shape }`, `{ object, … }`, `{ global }`, `{ bytes }`, `{ cycle: true }`.
 */
export function toJson(value: unknown, { elements = false }: Options = {}): unknown {
  /** The values around the current one */
  const around = new Set<object>();
  const visit = (one: unknown): unknown => {
    if (typeof one !== "object" || one === null) return one;
    if (around.has(one)) return { cycle: true };
    around.add(one);
    try {
      return form(one);
    } finally {
      around.delete(one);
    }
  };
  const form = (one: object): unknown => {
    if (one instanceof Tensor) return tensorForm(one, elements);
    if (isMap(one)) {
      return Object.fromEntries([...one].map(([key, item]) => [keyText(key), visit(item)]));
    }
    if (isSet(one)) return [...one].map(visit);
    if (isUint8Array(one)) return { bytes: Buffer.from(one).toString("base64") };
    if (one instanceof Complex) return { re: one.re, im: one.im };
    if (one instanceof PyGlobal) return { global: `${one.module}.${one.name}` };
    if (one instanceof PyObject) return objectForm(one);
    return Array.isArray(one) ? one.map(visit) : String(one);
  };
  const objectForm = ({ module, name, args, kwargs, state, items, entries }: PyObject) => ({
    object: `${module}.${name}`,
    ...(args.length > 0 && { args: args.map(visit) }),
    ...(kwargs && { kwargs: visit(kwargs) }),
    ...(state !== null && { state: visit(state) }),
    ...(items.length > 0 && { items: items.map(visit) }),
    ...(entries.length > 0 && { entries: entries.map((pair) => pair.map(visit)) }),
  });
  return visit(value);
}

/** Nested arrays, as `tensor.tolist()` in Python; complex numbers are pairs. */
function tensorForm(tensor: Tensor, elements: boolean): unknown {
  const { dtype, shape } = tensor;
  if (!elements) return { tensor: dtype, shape };
  const decode = DECODERS[dtype as keyof typeof DECODERS];
  const numbers = Array.from(tensor.data as Float64Array, (item) =>
    dtype === "bool" ? Number(item) !== 0 : decode ? decode(Number(item)) : item,
  );
  const sizes = itemsPerElement(dtype) === 2 ? [...shape, 2] : shape;
  return nested(numbers, sizes, 0);
}

/** The elements from `start` on as arrays of these sizes in each other. */
function nested(elements: unknown[], [size, ...inner]: number[], start: number): unknown {
  if (size === undefined) return elements[start];
  if (inner.length === 0) return elements.slice(start, start + size);
  const step = count(inner);
  return Array.from({ length: size }, (_, i) => nested(elements, inner, start + i * step));
}

/** Of the dtypes that JavaScript holds as bits, those that are usual for weights. */
const DECODERS = { float16: fromHalf, complex32: fromHalf, bfloat16: fromBFloat16 };

function fromBFloat16(bits: number): number {
  return new Float32Array(Uint32Array.of(bits << 16).buffer)[0] as number;
}

/** IEEE 754 binary16 */
function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const [exponent, fraction] = [(bits >> 10) & 0x1f, bits & 0x3ff];
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  const [scale, leading] = exponent === 0 ? [-14, 0] : [exponent - 15, 1];
  return sign * 2 ** scale * (leading + fraction / 1024);
}

function keyText(key: unknown): string {
  if (typeof key === "string") return key;
  return typeof key === "object" && key !== null ? JSON.stringify(toJson(key)) : String(key);
}

/**
 * The value of a name as `inspect` gives it: keys and indices with dots between them, where a key
 * may have dots itself.
 *
 * @returns undefined: there is none
 */
export function find(content: unknown, name: string): { value: unknown } | undefined {
  if (name === "") return { value: content };
  for (const [key, value] of parts(content)) {
    if (name === key) return { value };
    if (!name.startsWith(`${key}.`)) continue;
    const found = find(value, name.slice(key.length + 1));
    if (found) return found;
  }
  return undefined;
}

function parts(value: unknown): [key: string, value: unknown][] {
  if (isMap(value)) {
    const entries = [...value].map(([key, item]): [string, unknown] => [keyText(key), item]);
    return value instanceof OrderedDict ? [...entries, ...parts(value.attributes)] : entries;
  }
  if (Array.isArray(value)) return value.map((item, i) => [String(i), item]);
  if (isSet(value)) return parts([...value]);
  if (value instanceof Tensor) return parts(value.attributes);
  if (!(value instanceof PyObject)) return [];
  const { callee, args, kwargs, state, items, entries } = value;
  return [callee, args, kwargs, state, items, new Map(entries)].flatMap(parts);
}
