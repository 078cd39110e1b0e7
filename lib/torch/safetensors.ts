/**
 * Files of safetensors: a JSON object of names, dtypes, shapes and places, then the elements.
 * The form: https://github.com/huggingface/safetensors#format
 */
import { constants } from "node:buffer";
import { show } from "../base/brief.js";
import { checkOptions, toFilePath } from "../base/check.js";
import { SdaError } from "../base/errors.js";
import { writeOutput } from "../base/output-file.js";
import { withOpenFile } from "../base/read-file.js";
import { isMap } from "../base/realm.js";
import { callNative } from "../native/call.js";
import { checkpointAddon } from "../native/load.js";
import { arrayFor, bytesPerElement, checkTensorData } from "../values/tensor-data.js";
import { type DType, Tensor } from "../values/values.js";
import type { HttpOptions } from "./containers/http.js";
import type { RandomAccess } from "./containers/random-access.js";
import { ofFile, openSource, pathOf, type Source } from "./containers/source.js";

/** The format's names of dtypes. */
const NAMES: Partial<Record<DType, string>> = {
  bool: "BOOL",
  uint8: "U8",
  int8: "I8",
  int16: "I16",
  uint16: "U16",
  float16: "F16",
  bfloat16: "BF16",
  int32: "I32",
  uint32: "U32",
  float32: "F32",
  float64: "F64",
  int64: "I64",
  uint64: "U64",
  complex64: "C64",
  float8_e5m2: "F8_E5M2",
  float8_e4m3fn: "F8_E4M3",
  float8_e4m3fnuz: "F8_E4M3FNUZ",
  float8_e5m2fnuz: "F8_E5M2FNUZ",
  float8_e8m0fnu: "F8_E8M0",
};
const DTYPES = new Map(Object.entries(NAMES).map(([dtype, name]) => [name, dtype as DType]));

const LENGTH_BYTES = 8;
/** The length and the header's first character. */
const BEGINNING = LENGTH_BYTES + 1;
const BRACE = 0x7b;
/** As the format's own reader. */
const MOST_HEADER_BYTES = 100_000_000;
const MOST_DIMENSIONS = 1024;
const METADATA = "__metadata__";
/** Bytes that are written at once. */
const PIECE = 4 * 2 ** 20;

/**
 * The tensors of a safetensors file by name, in the order of the file's header.
 *
 * @example
 * ```js
 * const w = new Tensor("float32", [2], Float32Array.of(0.5, -0.5));
 * await saveSafetensors(new Map([["w", w]]), "w.safetensors", { metadata: { format: "pt" } });
 * const tensors = await loadSafetensors("w.safetensors");
 * console.log(tensors instanceof Safetensors, tensors.metadata.format); // true pt
 * ```
 */
export class Safetensors extends Map<string, Tensor> {
  /** What the writer has added; {}: nothing */
  readonly metadata: Record<string, string>;

  constructor(metadata: Record<string, string> = {}) {
    super();
    this.metadata = metadata;
  }
}

/** The options of `loadSafetensors`. */
export interface LoadSafetensorsOptions {
  /** How an `http(s):` URL is read */
  http?: HttpOptions;
  /** Aborting rejects with the signal's reason */
  signal?: AbortSignal;
}

/**
 * Reads a safetensors file. Each tensor has memory of its own.
 *
 * @throws SdaError ERR_SDA_NOT_FOUND, ERR_SDA_FORMAT (another file), ERR_SDA_CORRUPT,
 *   ERR_SDA_VERSION (an unknown dtype), ERR_SDA_LIMIT, ERR_SDA_IO, with `details.path`;
 *   `signal.reason` when the signal is aborted
 * @example
 * ```js
 * const w = new Tensor("float32", [2], Float32Array.of(0.5, -0.5));
 * await saveSafetensors(new Map([["w", w]]), "w.safetensors", { metadata: { format: "pt" } });
 * const tensors = await loadSafetensors("w.safetensors");
 * console.log(tensors.get("w").data[1], tensors.metadata.format); // -0.5 pt
 * ```
 */
export async function loadSafetensors(
  from: Source,
  options: LoadSafetensorsOptions = {},
): Promise<Safetensors> {
  checkOptions("options", options, ["http", "signal"]);
  const { http, signal } = options;
  signal?.throwIfAborted();
  const path = pathOf(from);
  if (path === undefined) return readSafetensors(await openSource(from, http, signal), signal);
  return withOpenFile(path, async (handle) => readSafetensors(await ofFile(handle, path), signal));
}

/**
 * As `loadSafetensors`, but maps the file instead of reading it. The elements may not be aligned:
 * the tensors are to be written, and not to be computed with.
 */
export async function mapSafetensors(path: string, signal?: AbortSignal): Promise<Safetensors> {
  const { start, places, metadata } = await withOpenFile(path, async (handle) =>
    readSafetensorsHeader(await ofFile(handle, path)),
  );
  const addon = checkpointAddon();
  const ranges = places.flatMap(({ begin, end }) => [start + begin, end - begin]);
  const parts = await callNative(addon, signal, (cancel) =>
    addon.mapParts(path, new Float64Array(ranges), cancel),
  );
  const tensors = new Safetensors(metadata);
  places.forEach(({ name, dtype, shape }, i) => {
    tensors.set(name, new Tensor(dtype, shape, arrayFor(dtype, parts[i] as ArrayBuffer)));
  });
  return tensors;
}

/** Whether a file begins as a safetensors file does. */
export async function isSafetensors(path: string): Promise<boolean> {
  return withOpenFile(path, async (handle, size) => {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(BEGINNING), 0, BEGINNING, 0);
    return bytesRead === BEGINNING && buffer[LENGTH_BYTES] === BRACE && lengthIn(buffer) <= size;
  });
}

const lengthIn = (bytes: Buffer) => Number(bytes.readBigUInt64LE());

/** As `loadSafetensors`. */
export async function readSafetensors(
  file: RandomAccess,
  signal: AbortSignal | undefined,
): Promise<Safetensors> {
  const { start, places, metadata } = await readSafetensorsHeader(file);
  const tensors = new Safetensors(metadata);
  for (const { name, dtype, shape, begin, end } of places) {
    signal?.throwIfAborted();
    if (end - begin > constants.MAX_LENGTH) {
      const problem = `${file.name}: the tensor ${show(name)} has ${end - begin} bytes`;
      const limit = constants.MAX_LENGTH;
      throw new SdaError("ERR_SDA_LIMIT", problem, { path: file.name, limit });
    }
    // Copied where the file is memory of the caller
    const bytes = new Uint8Array(await file.read(start + begin, end - begin));
    tensors.set(name, new Tensor(dtype, shape, arrayFor(dtype, bytes.buffer)));
  }
  return tensors;
}

/** Where a tensor's bytes are, after the header. */
export interface Place {
  name: string;
  dtype: DType;
  shape: number[];
  begin: number;
  end: number;
}

/** The places of the tensors in the file, whose elements begin at `start`. */
export async function readSafetensorsHeader(file: RandomAccess) {
  const path = file.name;
  const first = Buffer.from(await file.read(0, Math.min(file.size, BEGINNING)));
  if (first.length <= LENGTH_BYTES || first[LENGTH_BYTES] !== BRACE) {
    const problem = `${path} is not a safetensors file`;
    throw new SdaError("ERR_SDA_FORMAT", problem, { path });
  }
  const length = Number(first.readBigUInt64LE());
  if (length > MOST_HEADER_BYTES) {
    const problem = `${path}: a header of ${length} bytes`;
    throw new SdaError("ERR_SDA_LIMIT", problem, { path, limit: MOST_HEADER_BYTES });
  }
  const start = LENGTH_BYTES + length;
  if (start > file.size) throw corrupt(path, "the file ends before its header does");
  const text = await file.read(LENGTH_BYTES, length);
  const header = parseHeader(text, path);
  const { [METADATA]: metadata = {}, ...entries } = header;
  const places = Object.entries(entries).map(([name, entry]) => placeOf(name, entry, path));
  checkCover(places, file.size - start, path);
  return { start, places, metadata: checkMetadata(metadata, path) };
}

function parseHeader(text: Uint8Array, path: string): Record<string, unknown> {
  try {
    const header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(text));
    if (typeof header === "object" && header !== null && !Array.isArray(header)) return header;
  } catch (cause) {
    throw corrupt(path, `the header is no JSON: ${(cause as Error).message}`);
  }
  throw corrupt(path, "the header is no object");
}

function placeOf(name: string, entry: unknown, path: string): Place {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
  const wrong = (what: string) => corrupt(path, `the tensor ${show(name)} has ${what}`, name);
  const known = DTYPES.get(dtype as string);
  if (typeof dtype !== "string") throw wrong("no dtype");
  if (known === undefined) {
    const problem = `${path}: the tensor ${show(name)} has the unknown dtype ${show(dtype)}`;
    throw new SdaError("ERR_SDA_VERSION", problem, { path, tensor: name });
  }
  const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
  if (!Array.isArray(shape) || !shape.every(isCount) || shape.length > MOST_DIMENSIONS) {
    throw wrong(`the shape ${show(shape)}`);
  }
  const isRange = Array.isArray(offsets) && offsets.length === 2 && offsets.every(isCount);
  if (!isRange) throw wrong(`the place ${show(offsets)}`);
  const [begin, end] = offsets as [number, number];
  const bytes = shape.reduce((product, extent) => product * extent, bytesPerElement(known));
  if (end - begin !== bytes) throw wrong(`${end - begin} bytes, not ${bytes}`);
  return { name, dtype: known, shape, begin, end };
}

/** The tensors lie one behind the other, without a gap, up to the end of the file. */
function checkCover(places: readonly Place[], size: number, path: string): void {
  let at = 0;
  for (const { name, begin, end } of [...places].sort(
    (a, b) => a.begin - b.begin || a.end - b.end,
  )) {
    if (begin !== at)
      throw corrupt(path, `the tensor ${show(name)} is not behind the one before`, name);
    at = end;
  }
  if (at !== size) throw corrupt(path, `the tensors have ${at} bytes, and the file has ${size}`);
}

function checkMetadata(metadata: unknown, path: string): Record<string, string> {
  const isFine =
    typeof metadata === "object" &&
    metadata !== null &&
    Object.values(metadata).every((value) => typeof value === "string");
  if (!isFine) throw corrupt(path, "the metadata are not texts by name");
  return metadata as Record<string, string>;
}

function corrupt(path: string, what: string, tensor?: string): SdaError {
  const details = { path, ...(tensor !== undefined && { tensor }) };
  return new SdaError("ERR_SDA_CORRUPT", `${path}: ${what}`, details);
}

/** The options of `saveSafetensors`. */
export interface SaveSafetensorsOptions {
  /** Texts by name, such as { format: "pt" } */
  metadata?: Record<string, string>;
  /** Aborting rejects with the signal's reason; `path` then stays as it was */
  signal?: AbortSignal;
}

/**
 * Writes tensors to a safetensors file, as `save` writes torch files: atomically. Tensors that
 * share memory are written one by one. What `stateDict` returns can be written as it is.
 *
 * @param tensors by name; a `Map` or a plain object
 * @throws SdaError ERR_SDA_ARGUMENT: what is no tensor (`details.at`), a dtype that the format does
 *   not have, or metadata that are no texts; ERR_SDA_NOT_FOUND: the folder does not exist;
 *   ERR_SDA_IO; `signal.reason`
 * @example
 * ```js
 * const w = new Tensor("float32", [2], Float32Array.of(0.5, -0.5));
 * await save(new Map([["model", new Map([["w", w]])]]), "checkpoint.pt");
 * await saveSafetensors(stateDict(await load("checkpoint.pt")), "model.safetensors");
 * ```
 */
export async function saveSafetensors(
  tensors: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>,
  path: string | URL,
  options: SaveSafetensorsOptions = {},
): Promise<void> {
  const file = toFilePath(path);
  checkOptions("options", options, ["metadata", "signal"]);
  const { metadata = {}, signal } = options;
  signal?.throwIfAborted();
  const given = isMap(tensors) ? [...tensors] : Object.entries(tensors as Record<string, Tensor>);
  const sorted = given
    .map(([name, tensor]) => checked(name, tensor))
    // The widest elements first, so that all are aligned; as the format's own writer
    .sort((a, b) => b.width - a.width || (a.name < b.name ? -1 : 1));
  const header: Record<string, unknown> = Object.create(null);
  if (Object.keys(metadata).length > 0) header[METADATA] = checkedMetadata(metadata);
  let at = 0;
  for (const { name, dtype, shape, bytes } of sorted) {
    header[name] = { dtype, shape, data_offsets: [at, at + bytes.length] };
    at += bytes.length;
  }
  const text = Buffer.from(JSON.stringify(header));
  const padding = (LENGTH_BYTES - (text.length % LENGTH_BYTES)) % LENGTH_BYTES;
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeBigUInt64LE(BigInt(text.length + padding));
  await writeOutput(file, async (append) => {
    await append(Buffer.concat([length, text, Buffer.alloc(padding, " ")]));
    for (const { bytes } of sorted) {
      for (let from = 0; from < bytes.length; from += PIECE) {
        signal?.throwIfAborted();
        await append(bytes.subarray(from, from + PIECE));
      }
    }
    signal?.throwIfAborted();
  });
}

function checked(name: unknown, tensor: unknown) {
  const at = `tensors[${show(name)}]`;
  const refuse = (problem: string) =>
    new SdaError("ERR_SDA_ARGUMENT", `${at}: ${problem}`, { option: "tensors", at });
  if (typeof name !== "string") throw refuse("a name must be a string");
  if (name === METADATA) throw refuse("the format keeps this name for its metadata");
  if (!(tensor instanceof Tensor)) throw refuse("not a Tensor");
  const { dtype, shape, data } = tensor;
  const problem = checkTensorData(dtype, shape, data);
  if (problem !== null) throw refuse(problem);
  const known = NAMES[dtype];
  if (known === undefined) throw refuse(`safetensors has no dtype ${dtype}`);
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { name, dtype: known, shape, bytes, width: bytesPerElement(dtype) };
}

function checkedMetadata(metadata: Record<string, string>): Record<string, string> {
  for (const [name, value] of Object.entries(metadata)) {
    if (typeof value !== "string") {
      const problem = `metadata[${show(name)}] must be a string, got ${show(value)}`;
      throw new SdaError("ERR_SDA_ARGUMENT", problem, { option: "metadata" });
    }
  }
  return metadata;
}
