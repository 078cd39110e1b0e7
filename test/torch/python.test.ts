/** Random values that torch.save writes during the test, compared with descriptions by Python. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { inspect, load } from "../../lib/torch/index.js";
import { expectDescribed } from "../support/described.js";
import { temporaryFolder } from "../support/folder.js";
import { runTorchPython, torchPython } from "../support/python.js";

const script = fileURLToPath(new URL("../python/describe.py", import.meta.url));
const SEED = 20_260_214;
const COUNT = 60;

test.skipIf(torchPython === null)(
  "what torch.save writes, protocols 2 to 5, zip and legacy",
  async () => {
    const folder = temporaryFolder();
    const arguments_ = [script, folder, String(SEED), String(COUNT)];
    const output = await runTorchPython(arguments_);
    const written = output.trim().split("\n");
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
