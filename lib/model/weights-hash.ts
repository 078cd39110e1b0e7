import { createHash, type Hash } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { fileIdentity, sameContent } from "../base/file-identity.js";
import { isMap } from "../base/realm.js";
import { load } from "../torch/load.js";
import { Tensor } from "../values/values.js";

/** Keys of a model file that do not shape its sound; an edit or an analysis changes them. */
const NOT_OF_SOUND = new Set([
  "format",
  "version",
  "metadata",
  "training_config",
  "latent_analysis",
]);
/** Bytes hashed between two turns of the event loop: some milliseconds. */
const SLICE_BYTES = 4 * 2 ** 20;
const DEEPEST = 100;

/**
 * A digest of everything in a model file that shapes its sound: weights, vocoder, prior, and
 * settings of the spectrogram. The digest of the whole file would change with each rename, and the
 * weights alone do not make the sound. The order of the keys does not matter.
 *
 * @returns SHA-256 in hex
 * @throws SdaError as `load`
 */
export async function weightsHash(path: string, signal?: AbortSignal): Promise<string> {
  const content = await load(path, { unknownGlobals: "inert", ...(signal && { signal }) });
  const sha = createHash("sha256");
  const seen = new Set<object>();
  if (isMap(content)) {
    for (const [key, value] of sorted(content)) {
      if (!NOT_OF_SOUND.has(key)) await add(sha, key, value, seen, 0);
      signal?.throwIfAborted();
    }
  }
  return sha.digest("hex");
}

async function add(
  sha: Hash,
  name: string,
  value: unknown,
  seen: Set<object>,
  depth: number,
): Promise<void> {
  sha.update(`${name.length} ${name} `);
  if (typeof value !== "object" || value === null) {
    sha.update(`${typeof value} ${String(value)};`);
    return;
  }
  // A damaged file may refer to the same list many times, or to itself.
  if (seen.has(value) || depth > DEEPEST) {
    sha.update("again;");
    return;
  }
  seen.add(value);
  if (value instanceof Tensor) {
    const { buffer, byteOffset, byteLength } = value.data;
    sha.update(`${value.dtype} ${value.shape.join("x")} ${byteLength};`);
    for (let at = 0; at < byteLength; at += SLICE_BYTES) {
      const length = Math.min(SLICE_BYTES, byteLength - at);
      sha.update(new Uint8Array(buffer, byteOffset + at, length));
      if (byteLength > SLICE_BYTES) await nextTurn();
    }
    return;
  }
  const entries = isMap(value) ? sorted(value) : Object.entries(value);
  sha.update(`${entries.length};`);
  for (const [key, item] of entries) await add(sha, key, item, seen, depth + 1);
}

function sorted(map: Map<unknown, unknown>): [string, unknown][] {
  return [...map]
    .map(([key, value]): [string, unknown] => [String(key), value])
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/**
 * The digest of a file that has not changed since it had the identity.
 *
 * @param identity as `fileIdentity` returned it
 * @returns null: the file has changed, is gone, or can't be read any more
 */
export async function unchangedWeightsHash(
  path: string,
  identity: string | null,
): Promise<string | null> {
  const isUnchanged = async () => {
    const now = await fileIdentity(path);
    return now !== null && identity !== null && sameContent(now, identity);
  };
  try {
    if (!(await isUnchanged())) return null;
    const hash = await weightsHash(path);
    return (await isUnchanged()) ? hash : null;
  } catch {
    return null; // a sound can be written without its model's digest
  }
}
