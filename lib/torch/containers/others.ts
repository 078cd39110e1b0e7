/** The values of files that TypeScript reads. */
import { join } from "node:path";
import { SdaError } from "../../base/errors.js";
import { withOpenFile } from "../../base/read-file.js";
import { callNative } from "../../native/call.js";
import { checkpointAddon } from "../../native/load.js";
import { readValues } from "../../native/read-values.js";
import type { NativeInspectResult, ReadOptions } from "../../native/types.js";
import { count } from "../../values/strided.js";
import { bytesPerElement, isDType } from "../../values/tensor-data.js";
import { NdArray, Tensor } from "../../values/values.js";
import { readSafetensors, readSafetensorsHeader } from "../safetensors.js";
import { type Archive, openArchive } from "./archive.js";
import {
  assemble,
  type DistributedEntry,
  INDEX,
  listDistributed,
  type Piece,
} from "./distributed.js";
import { exportedTensor, isExported, listExported, MOST_EXPANDED_BYTES } from "./exported.js";
import { NPY_HEADER_BYTES, npyArray, npyLayout, readNpyHeader } from "./npy.js";
import type { RandomAccess } from "./random-access.js";
import { NOT_THAT, type OtherContainer } from "./read.js";
import { ofBytes, ofFile, withWhole } from "./source.js";

type Options = ReadOptions;
type Signal = AbortSignal | undefined;

/** The value of a .npy, .npz, .pt2 or safetensors file. */
export async function readOther(
  file: RandomAccess,
  container: OtherContainer,
  options: Options,
  most: number,
  signal: Signal,
): Promise<unknown> {
  if (container === "npy") return readArray(file, options, signal);
  if (container === "safetensors") return readSafetensors(file, signal);
  const archive = await anyArchive(file, container, signal);
  if (container === "pt2" || isExported(archive)) {
    return readExported(archive, options, most, signal);
  }
  if (!isNpz(archive)) throw NOT_THAT;
  checkContent(archive, most);
  const arrays = new Map<string, unknown>();
  for (const record of archive.records) {
    const name = record.name.slice(0, -NPY.length);
    const content = ofBytes(await archive.content(record), `${file.name}: ${record.name}`);
    arrays.set(name, await readArray(content, options, signal));
  }
  return arrays;
}

/** @throws NOT_THAT: no sound archive, which the native reader has refused for another reason */
async function anyArchive(file: RandomAccess, container: OtherContainer, signal: Signal) {
  try {
    return await openArchive(file, signal);
  } catch (error) {
    if (container === "zip" && error instanceof SdaError && error.code !== "ERR_SDA_IO") {
      throw NOT_THAT;
    }
    throw error;
  }
}

function checkContent({ file, records }: Archive, most: number): void {
  const total = records.reduce((sum, { size }) => sum + size, 0);
  if (total <= most) return;
  const problem = `${file.name} has ${total} bytes of records`;
  throw new SdaError("ERR_SDA_LIMIT", problem, { path: file.name, limit: most });
}

const NPY = ".npy";

function isNpz({ records }: Archive): boolean {
  return records.length > 0 && records.every(({ name }) => name.endsWith(NPY));
}

async function readArray(file: RandomAccess, options: Options, signal: Signal): Promise<unknown> {
  const header = await npyHeader(file);
  const { dtype, bytes } = npyLayout(header, file.name);
  const rest = file.size - header.start;
  if (bytes === null) {
    // The elements are a pickle of the whole array.
    const pickle = ofBytes(await file.read(header.start, rest), file.name);
    return withWhole(pickle, signal, (image, cancel) =>
      readValues(checkpointAddon(), image, options, cancel, signal),
    );
  }
  if (rest < bytes) {
    const problem = `${file.name} has ${rest} of ${bytes} bytes of elements`;
    throw new SdaError("ERR_SDA_CORRUPT", problem, { path: file.name });
  }
  if (options.weights === false && isDType(dtype)) {
    return new NdArray(dtype, header.shape, new Uint8Array());
  }
  return npyArray(header, await file.read(header.start, bytes), file.name);
}

async function npyHeader(file: RandomAccess) {
  const first = await file.read(0, Math.min(file.size, NPY_HEADER_BYTES));
  try {
    return readNpyHeader(first, file.name);
  } catch (error) {
    if (first.length === file.size) throw error;
    return readNpyHeader(await file.read(0, Math.min(file.size, 2 * 2 ** 20)), file.name);
  }
}

/** `{ weights, constants }`, each a Map of tensors by name. */
async function readExported(
  archive: Archive,
  options: Options,
  most: number,
  signal: Signal,
): Promise<Map<string, unknown>> {
  checkContent(archive, most);
  const content = new Map<string, unknown>();
  const records = new Map(archive.records.map((one) => [one.name, one]));
  const record = (name: string) => records.get(name);
  // Several tensors may view one record, and each may be expanded.
  let left = 4 * archive.file.size + MOST_EXPANDED_BYTES;
  const spend = (bytes: number) => {
    left -= bytes;
    if (left >= 0) return;
    const problem = `${archive.file.name}: the tensors have far more bytes than the file`;
    throw new SdaError("ERR_SDA_LIMIT", problem, { path: archive.file.name });
  };
  const nested = async (name: string) => {
    const found = record(name);
    if (!found) return undefined;
    const file = ofBytes(await archive.content(found), `${archive.file.name}: ${name}`);
    return withWhole(file, signal, (image, cancel) =>
      readValues(checkpointAddon(), image, options, cancel, signal),
    );
  };
  // Of torch.export before PyTorch 2.8
  for (const group of ["state_dict", "constants"]) {
    const value = await nested(`serialized_${group}.pt`);
    if (value !== undefined) content.set(group === "constants" ? group : "weights", value);
  }
  for (const tensor of await listExported(archive)) {
    const tensors = (content.get(tensor.group) ?? new Map()) as Map<string, unknown>;
    content.set(tensor.group, tensors);
    const found = record(tensor.record);
    if (!found) {
      const problem = `${archive.file.name}: there is no record '${tensor.record}'`;
      throw new SdaError("ERR_SDA_CORRUPT", problem, { path: archive.file.name });
    }
    const bytes = count(tensor.shape) * bytesPerElement(tensor.dtype);
    if (options.weights !== false) spend(Math.max(bytes, found.size));
    tensors.set(
      tensor.name,
      tensor.isPickled
        ? await nested(tensor.record)
        : options.weights === false
          ? new Tensor(tensor.dtype, tensor.shape, new Uint8Array())
          : exportedTensor(tensor, await archive.content(found), archive.file.name),
    );
  }
  return content;
}

/** The tensors and values of a distributed checkpoint, by name. */
export async function readDistributed(
  folder: string,
  options: Options,
  signal: Signal,
): Promise<Map<string, unknown>> {
  const entries = await indexOf(folder, options, signal);
  await checkPieces(entries, folder);
  const content = new Map<string, unknown>();
  const read = (piece: Piece) => readPiece(piece, options, signal);
  for (const entry of entries) {
    signal?.throwIfAborted();
    if (entry.tensor === null) content.set(entry.name, await read(entry.value as Piece));
    else if (options.weights === false) {
      const { dtype, shape } = entry.tensor;
      content.set(entry.name, new Tensor(dtype, shape, new Uint8Array()));
    } else content.set(entry.name, await assemble(entry, read, folder));
  }
  return content;
}

/** Each file must have all bytes of its pieces, and pieces must not use the same bytes often. */
async function checkPieces(entries: readonly DistributedEntry[], folder: string): Promise<void> {
  const sizes = new Map<string, number>();
  let total = 0;
  for (const { tensor, value } of entries) {
    for (const { path, offset, length } of tensor?.chunks ?? [value as Piece]) {
      const size = sizes.get(path) ?? (await withOpenFile(path, async (_, bytes) => bytes));
      sizes.set(path, size);
      if (offset + length > size) {
        throw new SdaError("ERR_SDA_CORRUPT", `${path} ends before its chunks do`, { path });
      }
      total += length;
    }
  }
  if (total > [...sizes.values()].reduce((sum, size) => sum + size, 0)) {
    const problem = `${folder}: chunks that lie over each other`;
    throw new SdaError("ERR_SDA_CORRUPT", problem, { path: folder });
  }
}

async function indexOf(folder: string, { memoryBytes }: Options, signal: Signal) {
  const path = join(folder, INDEX);
  const addon = checkpointAddon();
  const options: Options = {
    unknownGlobals: "inert",
    anyContainer: true,
    ...(memoryBytes !== undefined && { memoryBytes }),
  };
  let metadata: unknown;
  try {
    metadata = await callNative(addon, signal, (cancel) =>
      readValues(addon, path, options, cancel, signal),
    );
  } catch (error) {
    if (!(error instanceof SdaError) || error.code !== "ERR_SDA_NOT_FOUND") throw error;
    throw new SdaError("ERR_SDA_FORMAT", `'${folder}' is a directory`, { path: folder });
  }
  return listDistributed(metadata, folder);
}

async function readPiece(piece: Piece, options: Options, signal: Signal): Promise<unknown> {
  const { path, offset, length } = piece;
  return withOpenFile(path, async (handle) => {
    const file = await ofFile(handle, path);
    const content = ofBytes(await file.read(offset, length), path);
    return withWhole(content, signal, (image, cancel) =>
      readValues(checkpointAddon(), image, { ...options, weights: true }, cancel, signal),
    );
  });
}

type Listed = NativeInspectResult["tensors"][number];

/** As `inspect`, of the same files. */
export async function inspectOther(
  file: RandomAccess,
  container: OtherContainer,
  most: number,
  signal: Signal,
): Promise<NativeInspectResult> {
  const found = (
    name: NativeInspectResult["container"],
    tensors: Listed[],
  ): NativeInspectResult => ({
    container: name,
    bytes: file.size,
    globals: [],
    globalKinds: [],
    tensors,
  });
  if (container === "npy") return found("npy", [await inspectArray(file, "")]);
  if (container === "safetensors") {
    const { places } = await readSafetensorsHeader(file);
    const tensors = places.map(({ name, dtype, shape, begin, end }) => ({
      name,
      dtype,
      shape,
      bytes: end - begin,
    }));
    return found("safetensors", tensors);
  }
  const archive = await anyArchive(file, container, signal);
  checkContent(archive, most);
  if (container === "pt2" || isExported(archive)) {
    const tensors = (await listExported(archive)).map(({ group, name, dtype, shape }) => ({
      name: `${group}.${name}`,
      dtype,
      shape,
      bytes: count(shape) * bytesPerElement(dtype),
    }));
    return found("pt2", tensors);
  }
  if (!isNpz(archive)) throw NOT_THAT;
  const tensors: Listed[] = [];
  for (const record of archive.records) {
    const content = record.deflated
      ? ofBytes(await archive.content(record), record.name)
      : within(file, record);
    tensors.push(await inspectArray(content, record.name.slice(0, -NPY.length)));
  }
  return found("npz", tensors);
}

/** A stored record as a file. */
function within(file: RandomAccess, record: { offset: number; size: number }): RandomAccess {
  return {
    name: file.name,
    size: record.size,
    read: (offset, size) => file.read(record.offset + offset, size),
    async *readAll() {
      yield await file.read(record.offset, record.size);
    },
  };
}

async function inspectArray(file: RandomAccess, name: string): Promise<Listed> {
  const header = await npyHeader(file);
  const { dtype, bytes } = npyLayout(header, file.name);
  return { name, dtype, shape: header.shape, bytes: bytes ?? file.size - header.start };
}

/** As `inspect`, of a distributed checkpoint. */
export async function inspectDistributed(
  folder: string,
  memoryBytes: number,
  signal: Signal,
): Promise<NativeInspectResult> {
  const entries = await indexOf(folder, { memoryBytes }, signal);
  const addon = checkpointAddon();
  const index = join(folder, INDEX);
  // The globals of the index; the chunks are looked at when they are loaded.
  const { globals, globalKinds } = await callNative(addon, signal, (cancel) =>
    addon.inspect(index, { anyContainer: true, memoryBytes }, cancel),
  );
  const tensors: Listed[] = [];
  let bytes = 0;
  for (const { name, tensor, value } of entries) {
    for (const piece of tensor?.chunks ?? [value as Piece]) bytes += piece.length;
    if (!tensor) continue;
    const { dtype, shape } = tensor;
    const size = count(shape) * bytesPerElement(dtype);
    tensors.push({ name, dtype, shape, bytes: size });
  }
  return { container: "distributed", bytes, globals, globalKinds, tensors };
}
