/**
 * Changed pickles, as JavaScript values and back: what loads is saved, and what was saved loads as
 * the same values.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { SdaError } from "../../lib/base/errors.js";
import { checkpointAddon } from "../../lib/native/load.js";
import { packageRoot } from "../../lib/native/package-root.js";
import { readNow } from "../../lib/native/read-values.js";
import { load, type SaveReport, save } from "../../lib/torch/index.js";
import { seedsOf } from "../../scripts/fuzz-seeds.js";
import { xorshift } from "./xorshift.js";
import { torchZip } from "./zip-builder.js";

/** What the storages "0" to "9" of a file hold. */
const STORAGE = Buffer.from(Float64Array.from({ length: 64 }, (_, i) => i / 3).buffer);
const STORAGES = Object.fromEntries([...Array(10).keys()].map((key) => [String(key), STORAGE]));

/** What a pickle became; "equal": it was saved and read again. */
export type Outcome = "refused" | "unsaved" | "partly kept" | "equal";

/** The pickles that are changed: those that the native fuzzer keeps, and its seeds. */
export function pickles(): Buffer[] {
  const folder = join(packageRoot, "test/fuzz/corpus/pickle");
  const kept = readdirSync(folder).map((name) => readFileSync(join(folder, name)));
  return [...kept, ...Object.values(seedsOf("pickle")).map((seed) => Buffer.from(seed))];
}

/**
 * Loads a pickle with tensors on some storages, saves the values and loads them again.
 *
 * @param path of a file to write
 * @throws Error: an outcome that must not be, with the pickle in hexadecimal digits
 */
export async function roundTrip(pickle: Uint8Array, path: string): Promise<Outcome> {
  const options = { unknownGlobals: "inert" } as const;
  const wrong = (what: string, cause?: unknown) => {
    const bytes = Buffer.from(pickle).toString("hex");
    return new Error(`${what}: ${cause ?? ""} ${bytes}`, { cause });
  };
  const { bytes } = torchZip(Buffer.from(pickle), STORAGES);
  let values: unknown;
  try {
    values = await load(bytes, options);
  } catch (error) {
    if (!(error instanceof SdaError)) throw wrong("not an SdaError", error);
    return "refused";
  }
  let report: SaveReport;
  try {
    report = await save(values, path);
  } catch (error) {
    if (!(error instanceof SdaError)) throw wrong("save fails with no SdaError", error);
    return "unsaved";
  }
  let again: unknown;
  try {
    again = await load(path, options);
  } catch (error) {
    throw wrong("what was saved does not load", error);
  }
  const addon = checkpointAddon();
  const now = readNow(addon, await addon.read(path, options));
  if (!isDeepStrictEqual(again, now)) throw wrong("read at once, the values are others");
  if (report.notKept.length > 0) return "partly kept";
  if (!isDeepStrictEqual(again, values)) {
    // Protocol 2, in which save writes, has another name for it.
    if (Buffer.from(pickle).includes("builtins")) return "partly kept";
    throw wrong("the values are others after save");
  }
  // What JavaScript does not show, such as a float without fraction, shows when it is saved again.
  const first = readFileSync(path);
  await save(again, path);
  if (!first.equals(readFileSync(path))) throw wrong("saved again, the file is another");
  return "equal";
}

/** Draws one of the pickles and changes it: bytes, and pieces of other pickles. */
export function mutant(from: readonly Buffer[], next: (below: number) => number): Buffer {
  const draw = () => from[next(from.length)] as Buffer;
  let content = Buffer.from(draw());
  for (let changes = next(4); changes > 0; changes--) {
    const at = next(content.length + 1);
    const length = 1 + next(12);
    const [before, after] = [content.subarray(0, at), content.subarray(at)];
    switch (next(5)) {
      case 0:
        content = Buffer.concat([before, Buffer.from([next(256)]), after.subarray(1)]);
        break;
      case 1:
        content = Buffer.concat([before, after.subarray(length)]);
        break;
      case 2: {
        const other = draw();
        const start = next(other.length + 1);
        content = Buffer.concat([before, other.subarray(start, start + 4 * length), after]);
        break;
      }
      case 3:
        content = Buffer.concat([before, after.subarray(0, length), after]);
        break;
      default: {
        const bit = Buffer.from([(after[0] ?? 0) ^ (1 << next(8))]);
        content = Buffer.concat([before, bit, after.subarray(1)]);
      }
    }
  }
  return content;
}

/** Tries so many mutants. Returns how many had each outcome. */
export async function fuzzValues(
  runs: number,
  seed: number,
  path: string,
  isOver: () => boolean = () => false,
): Promise<Record<Outcome, number>> {
  const [from, next] = [pickles(), xorshift(seed)];
  const outcomes = { refused: 0, unsaved: 0, "partly kept": 0, equal: 0 };
  for (let i = 0; i < runs && !isOver(); i++) outcomes[await roundTrip(mutant(from, next), path)]++;
  return outcomes;
}
