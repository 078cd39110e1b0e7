/** Whatever this reader accepts, a Python with torch reads as the same content. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { SdaError } from "../../lib/base/errors.js";
import { assess, inspect, load } from "../../lib/torch/index.js";
import { type Description, expectDescribed } from "../support/described.js";
import { count } from "../support/effort.js";
import { temporaryFolder } from "../support/folder.js";
import { runTorchPython, torchPython } from "../support/python.js";

const script = fileURLToPath(new URL("../python/differential.py", import.meta.url));
const SEED = Number(process.env["SDA_DIFFERENTIAL_SEED"] ?? 20_261_126);
const FILES = count({ quick: 600, full: 10_000 });
const AT_ONCE = 1000;

interface Reading {
  file: string;
  /** What Python was asked to import */
  named: string[];
  /** Whether Python called the payload */
  called: boolean;
  value?: Description;
  error?: string;
}

async function verdict(path: string): Promise<"accepted" | "refused"> {
  try {
    return assess(await inspect(path)).verdict === "safe" ? "accepted" : "refused";
  } catch (error) {
    if (error instanceof SdaError) return "refused";
    throw error;
  }
}

test.skipIf(torchPython === null)(
  "pickles, archives and legacy files with frames, memo entries and names of all kinds",
  { timeout: 900_000 },
  async () => {
    const found = { same: 0, refused: 0, called: 0, pythonFails: 0 };
    for (let from = 0; from < FILES; from += AT_ONCE) {
      const folder = temporaryFolder();
      const number = Math.min(AT_ONCE, FILES - from);
      const output = await runTorchPython([script, folder, String(SEED + from), String(number)]);
      for (const line of output.trim().split("\n")) {
        const { file, named, called, value, error } = JSON.parse(line) as Reading;
        const path = join(folder, file);
        const where = `seed ${SEED + from}, ${file}`;
        if (called) found.called++;
        if ((await verdict(path)) === "refused") {
          found.refused++;
          continue;
        }
        expect(called, where).toBe(false);
        const { globals } = await inspect(path);
        expect(globals, where).toEqual(expect.arrayContaining([...new Set(named)]));
        // What Python fails to read is not executed either.
        if (error !== undefined) found.pythonFails++;
        else {
          expectDescribed(await load(path), value, where);
          found.same++;
        }
      }
    }
    // The files reach all cases.
    expect(Math.min(found.same, found.refused, found.called)).toBeGreaterThan(FILES / 20);
    expect(found.pythonFails).toBeLessThan(FILES / 10);
  },
);
