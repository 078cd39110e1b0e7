/** Random values that torch.save writes during the test, compared with descriptions by Python. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { inspect, load } from "../../lib/torch/index.js";
import { expectDescribed } from "../support/described.js";
import { temporaryFolder } from "../support/folder.js";
import { torchPython } from "../support/python.js";

const script = fileURLToPath(new URL("../python/describe.py", import.meta.url));
const SEED = 20_260_214;
const COUNT = 60;

test.skipIf(torchPython === null)(
  "what torch.save writes, protocols 2 to 5, zip and legacy",
  async () => {
    const folder = temporaryFolder();
    const arguments_ = [script, folder, String(SEED), String(COUNT)];
    const { stdout } = await promisify(execFile)(torchPython as string, arguments_, {
      maxBuffer: 1 << 28,
      // JSON escapes lone surrogates, but Python's output must not depend on the locale.
      env: { ...process.env, PYTHONIOENCODING: "utf-8" },
    });
    const written = stdout.trim().split("\n");
    expect(written).toHaveLength(COUNT);
    for (const line of written) {
      const { files, value } = JSON.parse(line);
      for (const name of files) {
        const path = join(folder, name);
        expectDescribed(await load(path), value, name);
        expectDescribed(await load(path, { verify: false }), value, `${name}, mapped`);
        expect((await inspect(path)).container).toBe(name.includes("legacy") ? "legacy" : "zip");
      }
    }
  },
);
