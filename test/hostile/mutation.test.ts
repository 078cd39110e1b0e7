import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { SdaError } from "../../lib/base/errors.js";
import { checkpointAddon } from "../../lib/native/load.js";
import { inspect, type LoadOptions, load } from "../../lib/torch/index.js";
import { count } from "../support/effort.js";
import { everything } from "../support/everything.js";
import { legacy } from "../support/legacy-builder.js";
import { storage, THREE_FLOATS } from "../support/pickle-builder.js";
import { fileOf, legacyStorage, tensorZip } from "../support/torch-file.js";
import { xorshift } from "../support/xorshift.js";
import { torchZip } from "../support/zip-builder.js";

const MUTATIONS = count({ quick: 300, full: 3000 });

const originals: [string, Buffer][] = [
  ["a small zip", tensorZip()],
  ["a zip of everything", torchZip(everything(storage(3)), { "0": THREE_FLOATS }).bytes],
  [
    "a legacy file of everything",
    legacy(everything(legacyStorage(3)), [{ key: "7", count: 3, data: THREE_FLOATS }]),
  ],
];

test.each(originals)("%s survives being changed anywhere", async (name, original) => {
  const next = xorshift(0x5da + name.length);
  const path = fileOf(original);
  await expect(load(path)).resolves.toBeDefined();
  const pickleAt = Math.max(original.indexOf(Buffer.from([0x80, 2])), 0);
  const modes: LoadOptions[] = [
    {},
    { verify: false },
    { weights: false },
    { unknownGlobals: "inert" },
  ];
  const outcomes = new Map<string, number>();
  for (let i = 0; i < MUTATIONS; ++i) {
    let content = Buffer.from(original);
    for (let changes = 1 + next(3); changes > 0; --changes) {
      // Half of the changes are in the pickle.
      const at = next(2)
        ? next(content.length)
        : Math.min(pickleAt + next(900), content.length - 1);
      const length = 1 + next(8);
      switch (next(5)) {
        case 0:
          content[at] = next(256);
          break;
        case 1:
          content[at] = (content[at] as number) ^ (1 << next(8));
          break;
        case 2:
          content.subarray(at, at + length).fill(next(2) ? 0xff : 0);
          break;
        case 3:
          content = Buffer.concat([content.subarray(0, at), content.subarray(at + length)]);
          break;
        default: {
          const from = next(content.length);
          content = Buffer.concat([
            content.subarray(0, at),
            content.subarray(from, from + length),
            content.subarray(at),
          ]);
        }
      }
      if (content.length === 0) content = Buffer.from("P");
    }
    writeFileSync(path, content);
    const mode = i % 5;
    try {
      if (mode === 4) await inspect(path);
      else await load(path, modes[mode]);
      outcomes.set("success", (outcomes.get("success") ?? 0) + 1);
    } catch (error) {
      if (!(error instanceof SdaError) || error.details?.["path"] !== path) {
        throw new Error(`mutation ${i}: ${error}`, { cause: error });
      }
      outcomes.set(error.code, (outcomes.get(error.code) ?? 0) + 1);
    }
    if (i % 50 === 0) await checkpointAddon().verify(path);
  }
  expect(outcomes.get("ERR_SDA_CORRUPT")).toBeGreaterThan(0);
  expect(outcomes.get("ERR_SDA_NATIVE")).toBeUndefined();
});

test("a pickle survives being changed anywhere below a right CRC", async () => {
  const next = xorshift(0xc4c);
  const code = everything(storage(3));
  const path = fileOf(code);
  let [successes, refusals] = [0, 0];
  for (let i = 0; i < MUTATIONS; ++i) {
    const changed = Buffer.from(code);
    for (let changes = 1 + next(2); changes > 0; --changes) changed[next(code.length)] = next(256);
    // The archive is built around the changed pickle, so the CRC is right.
    writeFileSync(path, torchZip(changed, { "0": THREE_FLOATS }).bytes);
    try {
      await load(path, { unknownGlobals: i % 2 ? "inert" : "reject" });
      successes += 1;
    } catch (error) {
      if (!(error instanceof SdaError) || error.details?.["path"] !== path) {
        throw new Error(`mutation ${i}: ${error}`, { cause: error });
      }
      expect(error.code).not.toBe("ERR_SDA_NATIVE");
      refusals += 1;
    }
  }
  expect([successes > 0, refusals > 0]).toEqual([true, true]);
});
