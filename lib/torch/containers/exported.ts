/** Programs of torch.export (.pt2): their weights and constants. The program itself is not read. */
import { SdaError } from "../../base/errors.js";
import { count, elementsOf } from "../../values/strided.js";
import { arrayFor, bytesPerElement, itemsPerElement } from "../../values/tensor-data.js";
import { type DType, Tensor } from "../../values/values.js";
import type { Archive } from "./archive.js";

/** torch._export.serde.schema.ScalarType */
const DTYPES: Record<number, DType> = {
  1: "uint8",
  2: "int8",
  3: "int16",
  4: "int32",
  5: "int64",
  6: "float16",
  7: "float32",
  8: "float64",
  9: "complex32",
  10: "complex64",
  11: "complex128",
  12: "bool",
  13: "bfloat16",
  28: "uint16",
  29: "float8_e4m3fn",
  30: "float8_e5m2",
  31: "float8_e4m3fnuz",
  32: "float8_e5m2fnuz",
  33: "float8_e8m0fnu",
  34: "uint32",
  35: "uint64",
};

export const MOST_EXPANDED_BYTES = 64 * 2 ** 20;
const MOST_JSON_BYTES = 256 * 2 ** 20;

/** A tensor of the archive. */
export interface ExportedTensor {
  group: "weights" | "constants";
  name: string;
  /** The record that holds its elements, or a file of torch.save where `isPickled` */
  record: string;
  isPickled: boolean;
  dtype: DType;
  shape: number[];
  strides: number[];
  /** In elements */
  offset: number;
}

/** Whether these are the records of a program of torch.export. */
export function isExported(archive: Archive): boolean {
  return archive.records.some(({ name }) => /(^|\/)archive_format$/.test(name));
}

/** The tensors that the archive's lists name. */
export async function listExported(archive: Archive): Promise<ExportedTensor[]> {
  const found: ExportedTensor[] = [];
  for (const record of archive.records) {
    const list = /^(.*\/data\/(weights|constants)\/)\w+_config\.json$/.exec(record.name);
    if (!list) continue;
    const bad = () => {
      const problem = `${archive.file.name}: record '${record.name}' is malformed`;
      const details = { path: archive.file.name, record: record.name };
      return new SdaError("ERR_SDA_CORRUPT", problem, details);
    };
    if (record.size > MOST_JSON_BYTES) throw bad();
    const config = parse(Buffer.from(await archive.content(record)).toString(), bad);
    for (const [name, entry] of Object.entries(config)) {
      const tensor = tensorOf(entry, bad);
      const group = list[2] as ExportedTensor["group"];
      found.push({ group, name, ...tensor, record: `${list[1]}${tensor.record}` });
    }
  }
  return found;
}

function parse(text: string, bad: () => SdaError): Record<string, unknown> {
  try {
    const { config } = JSON.parse(text) as { config?: unknown };
    if (typeof config === "object" && config !== null) return config as Record<string, unknown>;
  } catch {
    // As any other text
  }
  throw bad();
}

function tensorOf(entry: unknown, bad: () => SdaError) {
  const {
    path_name: record,
    use_pickle: isPickled,
    tensor_meta: meta,
  } = (entry ?? {}) as Record<string, unknown>;
  const { dtype, sizes, strides, storage_offset: offset } = (meta ?? {}) as Record<string, unknown>;
  const numbers = (list: unknown) => {
    if (!Array.isArray(list)) throw bad();
    return list.map((item) => whole((item as { as_int?: unknown } | null)?.as_int, bad));
  };
  const known = DTYPES[dtype as number];
  if (typeof record !== "string" || known === undefined) throw bad();
  const made = {
    record,
    isPickled: isPickled === true,
    dtype: known,
    shape: numbers(sizes),
    strides: numbers(strides),
    offset: whole((offset as { as_int?: unknown } | null)?.as_int, bad),
  };
  if (made.strides.length !== made.shape.length) throw bad();
  return made;
}

function whole(value: unknown, bad: () => SdaError): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw bad();
}

/** The tensor that `bytes`, the content of its record, hold. */
export function exportedTensor(tensor: ExportedTensor, bytes: Uint8Array, path: string): Tensor {
  const { dtype, shape, strides, offset, name } = tensor;
  const width = bytesPerElement(dtype);
  const numel = count(shape);
  const last = shape.reduce((at, size, d) => at + (size - 1) * (strides[d] as number), offset);
  if (numel > 0 && !(last < Math.floor(bytes.length / width))) {
    const problem = `${path}: the tensor '${name}' reaches past the end of its record`;
    throw new SdaError("ERR_SDA_CORRUPT", problem, { path, tensor: name });
  }
  // An expanded tensor has more elements than its record.
  if (numel * width > bytes.length + MOST_EXPANDED_BYTES) {
    const problem = `${path}: the tensor '${name}' has ${numel * width} bytes when it is expanded`;
    const details = { path, tensor: name, limit: MOST_EXPANDED_BYTES };
    throw new SdaError("ERR_SDA_LIMIT", problem, details);
  }
  // Copied: the elements then have a buffer of their own, at its start.
  const all = arrayFor(dtype, new Uint8Array(bytes).buffer, Math.floor(bytes.length / width));
  return new Tensor(dtype, shape, elementsOf(all, offset, shape, strides, itemsPerElement(dtype)));
}
