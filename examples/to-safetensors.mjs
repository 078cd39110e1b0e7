// node to-safetensors.mjs IN.pt OUT.safetensors: converts a checkpoint's weights to safetensors,
// a format that holds tensors only
import { open, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { load, Tensor } from "small-dataset-audio/torch";

// A safetensors file has three parts: the header's length (u64, little-endian), a JSON header
// padded with spaces to a multiple of 8 bytes, and the elements of the tensors.
const DTYPES = {
  bool: "BOOL",
  uint8: "U8",
  int8: "I8",
  uint16: "U16",
  int16: "I16",
  uint32: "U32",
  int32: "I32",
  uint64: "U64",
  int64: "I64",
  float16: "F16",
  bfloat16: "BF16",
  float32: "F32",
  float64: "F64",
  complex64: "C64",
  float8_e4m3fn: "F8_E4M3",
  float8_e5m2: "F8_E5M2",
  float8_e4m3fnuz: "F8_E4M3FNUZ",
  float8_e5m2fnuz: "F8_E5M2FNUZ",
  float8_e8m0fnu: "F8_E8M0",
};

/** The dict that holds tensors by name: the file's value itself, or under one of its usual keys. */
function stateDictOf(checkpoint) {
  const keys = ["model_state_dict", "state_dict", "model"];
  const candidates = [checkpoint, ...keys.map((key) => checkpoint?.get?.(key))];
  const found = candidates.find(
    (dict) => dict instanceof Map && [...dict.values()].some((value) => value instanceof Tensor),
  );
  if (!found) throw new Error("the file has no state dict");
  return found;
}

const [input, output] = process.argv.slice(2);
// Without a prototype, so that a tensor may have any name.
const header = Object.assign(Object.create(null), { __metadata__: { format: "pt" } });
const parts = [];
let end = 0;
const entries = [...stateDictOf(await load(input))].map(([name, tensor]) => {
  if (typeof name !== "string" || name === "__metadata__") throw new Error(`bad name: ${name}`);
  if (!(tensor instanceof Tensor)) throw new Error(`${name} is not a tensor`);
  if (!DTYPES[tensor.dtype]) throw new Error(`${name}: safetensors has no ${tensor.dtype}`);
  return [name, tensor];
});
// The widest elements first, so that each tensor is aligned to its element size; then by name.
const width = ([, { dtype, data }]) => data.BYTES_PER_ELEMENT * (dtype === "complex64" ? 2 : 1);
entries.sort((a, b) => width(b) - width(a) || (a[0] < b[0] ? -1 : 1));
for (const [name, { dtype, shape, data }] of entries) {
  // Tensors come row-major and contiguous.
  parts.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  header[name] = { dtype: DTYPES[dtype], shape, data_offsets: [end, end + data.byteLength] };
  end += data.byteLength;
}
const json = Buffer.from(JSON.stringify(header));
const length = Buffer.alloc(8);
const padding = Buffer.alloc(-json.length & 7, " ");
length.writeBigUInt64LE(BigInt(json.length + padding.length));

// Written under a temporary name first, so that the output is never incomplete.
const temporary = `${output}.${process.pid}.tmp`;
const file = await open(temporary, "wx");
try {
  for (const part of [length, json, padding, ...parts]) await file.writeFile(part);
  await file.sync();
  await file.close();
  await rename(temporary, output);
} catch (error) {
  await file.close().catch(() => {});
  await unlink(temporary).catch(() => {});
  throw error;
}
const folder = await open(dirname(output));
await folder.sync(); // the new name survives a power failure
await folder.close();
console.log(`${entries.length} tensors, ${end} bytes of elements`);

const full = entries.map(([, { data }]) => data).filter((data) => data.length > 0);
const sharing = full.length - new Set(full.map((data) => data.buffer)).size;
if (sharing > 0)
  console.log(`${sharing} tensors shared memory with others; the new file holds full copies`);
