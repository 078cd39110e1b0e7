/**
 * Distributed checkpoints (torch.distributed.checkpoint): a folder with a `.metadata` file, which
 * names each tensor's chunks, and `.distcp` files that hold the chunks, each as a file of
 * torch.save.
 */
import { join } from "node:path";
import { show } from "../../base/brief.js";
import { SdaError } from "../../base/errors.js";
import { count } from "../../values/strided.js";
import { arrayFor, bytesPerElement, isDType, MAX_DIMENSIONS } from "../../values/tensor-data.js";
import { type DType, PyGlobal, PyObject, Tensor } from "../../values/values.js";

/** The file in the folder of a checkpoint that names the tensors. */
export const INDEX = ".metadata";

const METADATA_MODULE = "torch.distributed.checkpoint.metadata";

/** A part of a file of the folder. */
export interface Piece {
  path: string;
  offset: number;
  /** Bytes */
  length: number;
}

/** A tensor in chunks, or any other value. */
export interface DistributedEntry {
  name: string;
  tensor: {
    dtype: DType;
    shape: number[];
    chunks: (Piece & { at: number[]; shape: number[] })[];
  } | null;
  /** Of a value that is no tensor */
  value: Piece | null;
}

/**
 * The entries that the `.metadata` file names.
 *
 * @param metadata its content, read with inert globals
 */
export function listDistributed(metadata: unknown, folder: string): DistributedEntry[] {
  const bad = (what: string) => {
    const path = join(folder, INDEX);
    return new SdaError("ERR_SDA_CORRUPT", `${path}: ${what}`, { path });
  };
  const state = stateOf(metadata, "Metadata");
  const entries = state?.get("state_dict_metadata");
  const storage = state?.get("storage_data");
  if (!(entries instanceof Map) || !(storage instanceof Map)) throw bad("no index of a checkpoint");
  const pieces = new Map<string, Piece>();
  for (const [index, info] of storage) {
    const key = stateOf(index, "MetadataIndex");
    const name = key?.get("fqn");
    if (typeof name !== "string" || name.length > LONGEST_NAME) throw bad("a name is malformed");
    const at = attributes(info);
    const path = at?.get("relative_path");
    const [offset, length] = [at?.get("offset"), at?.get("length")];
    if (!key || typeof path !== "string" || !isCount(offset) || !isCount(length)) {
      throw bad("a place of a chunk is malformed");
    }
    const transforms = at?.get("transform_descriptors");
    if (Array.isArray(transforms) && transforms.length > 0) {
      const problem = `${folder}: a checkpoint whose chunks are compressed`;
      throw new SdaError("ERR_SDA_FORMAT", problem, { path: folder });
    }
    // The files are beside the index: another path may lead anywhere.
    if (path === "" || path === "." || path === ".." || /[/\\\0]/.test(path)) {
      const problem = `${folder}: a chunk outside the folder, in ${show(path)}`;
      throw new SdaError("ERR_SDA_UNSAFE", problem, { path: folder });
    }
    pieces.set(keyOf(name, key.get("offset")), {
      path: join(folder, path),
      offset,
      length,
    });
  }
  return [...entries].map(([name, entry]) => {
    if (typeof name !== "string" || name.length > LONGEST_NAME) throw bad("a name is malformed");
    const described = stateOf(entry, "TensorStorageMetadata");
    if (!described) {
      const value = pieces.get(keyOf(name, null));
      if (!value) throw bad(`there is no value for ${show(name)}`);
      return { name, tensor: null, value };
    }
    const dtype = dtypeOf(described.get("properties"));
    const shape = sizesOf(described.get("size"));
    const chunks = described.get("chunks");
    if (!dtype || !shape || !Array.isArray(chunks)) throw bad(`${show(name)} is malformed`);
    return {
      name,
      tensor: {
        dtype,
        shape,
        chunks: chunks.map((chunk) => {
          const of = stateOf(chunk, "ChunkStorageMetadata");
          const at = sizesOf(of?.get("offsets"));
          const sizes = sizesOf(of?.get("sizes"));
          const piece = at && pieces.get(keyOf(name, at));
          const fits =
            at?.length === shape.length &&
            sizes?.length === shape.length &&
            at.every((from, d) => from + (sizes[d] as number) <= (shape[d] as number));
          if (!piece || !fits) throw bad(`a chunk of ${show(name)} is malformed`);
          return { ...piece, at, shape: sizes };
        }),
      },
      value: null,
    };
  });
}

/**
 * The whole tensor of its chunks.
 *
 * @param read reads the tensor of one chunk
 */
export async function assemble(
  { name, tensor }: DistributedEntry,
  read: (chunk: Piece) => Promise<unknown>,
  folder: string,
): Promise<Tensor> {
  const { dtype, shape, chunks } = tensor as NonNullable<DistributedEntry["tensor"]>;
  const bad = (what: string) =>
    new SdaError("ERR_SDA_CORRUPT", `${folder}: ${what} of ${show(name)}`, {
      path: folder,
      tensor: name,
    });
  const numel = count(shape);
  const covered = chunks.reduce((sum, chunk) => sum + count(chunk.shape), 0);
  if (covered !== numel) throw bad("the chunks are not all");
  const width = bytesPerElement(dtype);
  const stored = chunks.reduce((sum, { length }) => sum + length, 0);
  if (numel * width > stored) throw bad("the chunks hold less than the elements");
  const own = new Uint8Array(numel * width);
  for (const chunk of chunks) {
    const part = await read(chunk);
    const fits =
      part instanceof Tensor &&
      part.dtype === dtype &&
      part.shape.length === chunk.shape.length &&
      part.shape.every((size, d) => size === chunk.shape[d]) &&
      part.data.byteLength === count(part.shape) * width;
    if (!fits) throw bad("a chunk is not as its index says");
    const { buffer, byteOffset, byteLength } = part.data;
    place(own, shape, new Uint8Array(buffer, byteOffset, byteLength), chunk, width);
  }
  return new Tensor(dtype, shape, arrayFor(dtype, own.buffer));
}

/** Copies a row-major chunk into a row-major tensor, row by row. */
function place(
  to: Uint8Array,
  shape: number[],
  from: Uint8Array,
  chunk: { at: number[]; shape: number[] },
  width: number,
): void {
  if (from.length === 0) return;
  const last = shape.length - 1;
  const row = (last < 0 ? 1 : (chunk.shape[last] as number)) * width;
  const index = new Array<number>(Math.max(last, 0)).fill(0);
  for (let at = 0; at < from.length; at += row) {
    let target = 0;
    for (let d = 0; d <= last; d++) {
      const inChunk = d < last ? (index[d] as number) : 0;
      target = target * (shape[d] as number) + (chunk.at[d] as number) + inChunk;
    }
    to.set(from.subarray(at, at + row), target * width);
    for (let d = last - 1; d >= 0; d--) {
      index[d] = (index[d] as number) + 1;
      if ((index[d] as number) < (chunk.shape[d] as number)) break;
      index[d] = 0;
    }
  }
}

/** A few bytes of a pickle name a long text or list again. */
const LONGEST_NAME = 1024;

function keyOf(name: string, offset: unknown): string {
  return JSON.stringify([name, sizesOf(offset) ?? null]);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function sizesOf(value: unknown): number[] | undefined {
  const isSizes = Array.isArray(value) && value.length <= MAX_DIMENSIONS && value.every(isCount);
  return isSizes ? [...value] : undefined;
}

function attributes(value: unknown): Map<unknown, unknown> | undefined {
  return value instanceof PyObject && value.state instanceof Map ? value.state : undefined;
}

function stateOf(value: unknown, name: string): Map<unknown, unknown> | undefined {
  if (!(value instanceof PyObject) || value.module !== METADATA_MODULE || value.name !== name) {
    return undefined;
  }
  return attributes(value);
}

/** Of TensorProperties, whose state is a tuple that begins with the dtype. */
function dtypeOf(properties: unknown): DType | undefined {
  if (!(properties instanceof PyObject) || !Array.isArray(properties.state)) return undefined;
  const [dtype] = properties.state;
  const name = dtype instanceof PyGlobal && dtype.module === "torch" ? dtype.name : undefined;
  return isDType(name) ? name : undefined;
}
