/** Converts between torch files and safetensors files without holding the weights in memory. */
import { extname } from "node:path";
import { show } from "../base/brief.js";
import { badArgument, checkOptions, optionNames, toFilePath } from "../base/check.js";
import { SdaError } from "../base/errors.js";
import { withOpenFile } from "../base/read-file.js";
import { isMap } from "../base/realm.js";
import { MetaTensor, NestedTensor, QuantizedTensor, SparseTensor } from "../values/described.js";
import { PyObject, type Tensor } from "../values/values.js";
import { archiveKind, damagedMember, inFile, isDamage } from "./archives.js";
import { load } from "./load.js";
import { isSafetensors, mapSafetensors, Safetensors, saveSafetensors } from "./safetensors.js";
import { save } from "./save.js";
import { stateDict } from "./state-dict.js";

/** The options of `convertCheckpoint`. */
export interface ConvertOptions {
  /** Where the weights of a torch file are, as for `stateDict` */
  key?: string;
  /**
   * Texts for the header of a safetensors file, beside `format: "pt"`, or beside those of a
   * safetensors file that is converted. A torch file has no place for them
   */
  metadata?: Record<string, string>;
  /** Aborting rejects with the signal's reason; `to` then stays as it was */
  signal?: AbortSignal;
}

const OPTIONS = optionNames<ConvertOptions>({ key: true, metadata: true, signal: true });

/** What `convertCheckpoint` has written. */
export interface ConvertResult {
  /** The number of tensors */
  tensors: number;
  /** The bytes of their elements */
  bytes: number;
}

const SAFETENSORS = ".safetensors";
const TORCH = [".pt", ".pth", ".ckpt", ".bin"];
const MAGIC_BYTES = 4;

/**
 * Writes the weights of a checkpoint to a safetensors file or to a torch file. The suffix of `to`
 * decides: `.safetensors`, or `.pt`, `.pth`, `.ckpt` and `.bin`. The content of `from` tells what
 * it is. The weights are those that `stateDict` finds, under the names that it gives them; in a
 * torch file, they are a dict that Python reads with `weights_only=True`.
 *
 * The source is mapped and written piece by piece, so that a file larger than the memory can be
 * converted. Only two kinds of weights take memory of their own, all at once: tensors that are not
 * row-major in a torch file, and those of the legacy container, which are not aligned. `from` must
 * not be truncated meanwhile (SIGBUS). Each CRC-32 of a zip container is checked before anything is
 * written. `to` appears at once.
 *
 * Tensors that share memory are written one by one to safetensors.
 *
 * @returns what was written
 * @throws SdaError ERR_SDA_ARGUMENT: another suffix, a dtype that safetensors does not have, a
 *   sparse, quantized, nested or meta tensor among the weights, or as `stateDict`; otherwise as
 *   `load`, `loadSafetensors`, `save` and `saveSafetensors`. `signal.reason` when the signal is
 *   aborted.
 * @example
 * ```js
 * const { tensors } = await convertCheckpoint("checkpoint.pt", "model.safetensors");
 * await convertCheckpoint("model.safetensors", "weights.pt");
 * console.log((await load("weights.pt")).size === tensors); // true
 * ```
 */
export async function convertCheckpoint(
  from: string | URL,
  to: string | URL,
  options: ConvertOptions = {},
): Promise<ConvertResult> {
  const source = toFilePath(from);
  const target = toFilePath(to);
  checkOptions("options", options, OPTIONS);
  const { key, metadata, signal } = options;
  if (key !== undefined && typeof key !== "string") throw badArgument("key", "a string", key);
  signal?.throwIfAborted();
  const suffix = extname(target).toLowerCase();
  if (suffix !== SAFETENSORS && !TORCH.includes(suffix)) {
    throw badArgument("to", `a path that ends with ${[SAFETENSORS, ...TORCH].join(", ")}`, target);
  }
  if (metadata !== undefined && suffix !== SAFETENSORS) {
    throw new SdaError("ERR_SDA_ARGUMENT", "a torch file has no place for metadata", {
      option: "metadata",
    });
  }
  const found = await weightsIn(source, key, signal);
  const passed = signal ? { signal } : {};
  if (suffix === SAFETENSORS) {
    const texts = { format: "pt", ...found.metadata, ...metadata };
    await saveSafetensors(found, target, { metadata: texts, ...passed });
  } else {
    await save(new Map(found), target, passed);
  }
  const all = [...found.values()];
  return { tensors: all.length, bytes: all.reduce((sum, { data }) => sum + data.byteLength, 0) };
}

async function weightsIn(
  path: string,
  key: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Safetensors> {
  if (await isSafetensors(path)) {
    if (key === undefined) return mapSafetensors(path, signal);
    throw new SdaError("ERR_SDA_ARGUMENT", "a safetensors file has no keys", { option: "key" });
  }
  await checkRecords(path, signal);
  const value = await load(path, {
    verify: false,
    unknownGlobals: "inert",
    ...(signal && { signal }),
  });
  let tensors: Map<string, Tensor>;
  try {
    tensors = stateDict(value, key === undefined ? {} : { key });
  } catch (error) {
    const left = describedIn(value, () => true);
    if (left === null || !(error instanceof SdaError)) throw error;
    throw new SdaError(error.code, `${error.message}; ${left}`, error.details);
  }
  const known = new Set(tensors.values());
  // `stateDict` leaves out what is no dense tensor, and the new file would lack it.
  const left = describedIn(value, (values) => values.some((one) => known.has(one as Tensor)));
  if (left !== null) throw new SdaError("ERR_SDA_ARGUMENT", left);
  const weights = new Safetensors();
  for (const [name, tensor] of tensors) weights.set(name, tensor);
  return weights;
}

/** Mapping a file checks no weights. */
async function checkRecords(path: string, signal: AbortSignal | undefined): Promise<void> {
  await withOpenFile(path, async (file, size) => {
    const head = await inFile(file, size).read(0, Math.min(MAGIC_BYTES, size));
    if (archiveKind(head) !== "zip") return;
    let damaged: string | null = null;
    try {
      damaged = await damagedMember(file, size, signal);
    } catch (error) {
      if (!isDamage(error)) throw error;
      return; // `load` says more of it
    }
    if (damaged === null) return;
    const problem = `'${path}': record '${damaged}' is damaged (CRC-32 mismatch)`;
    throw new SdaError("ERR_SDA_CORRUPT", problem, { path, record: damaged });
  });
}

const DESCRIBED = [SparseTensor, QuantizedTensor, NestedTensor, MetaTensor];

/**
 * Finds a tensor that is not dense.
 *
 * @param isOf whether it may be in a dict of these values
 * @returns what it is; null: there is none
 */
function describedIn(value: unknown, isOf: (values: unknown[]) => boolean): string | null {
  const seen = new Set<unknown>();
  const waiting: unknown[] = [value];
  while (waiting.length > 0) {
    const item = waiting.pop();
    if (typeof item !== "object" || item === null || seen.has(item)) continue;
    seen.add(item);
    if (isMap(item)) {
      const values = [...item.values()];
      const isWanted = isOf(values);
      for (const [name, one] of item) {
        const found = isWanted && DESCRIBED.find((described) => one instanceof described);
        if (!found) continue;
        const kind = found.name.replace("Tensor", "").toLowerCase();
        return `${show(name)} is a ${kind} tensor, which can't be converted`;
      }
      for (const one of values) waiting.push(one);
    } else if (item instanceof PyObject) {
      waiting.push(item.state, item.args, item.entries);
    } else if (Array.isArray(item)) {
      for (const one of item) waiting.push(one);
    }
  }
  return null;
}
