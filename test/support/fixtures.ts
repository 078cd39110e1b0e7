import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
}

interface Golden {
  file: string;
  refuse?: string;
  python_loads?: boolean;
  value?: unknown;
  same_value_as?: string;
  /** Whether a reader may refuse the file */
  optional?: boolean;
}

/** Every torch.save file in test/fixtures that must be readable. */
export const readable: Golden[] = ["golden.json", "golden-numpy1.json"].flatMap((name) =>
  (JSON.parse(readFileSync(fixture(name), "utf8")).files as Golden[]).filter(
    ({ refuse }) => refuse === undefined,
  ),
);

export const modelFixtures = [
  "models/tiny.sda",
  "models/tiny-bfloat16.sda",
  "models/tiny-decoder-only.sda",
  "models/tiny-legacy.sda",
  "models/tiny-numpy1.sda",
  "models/tiny-protocol5.sda",
  "checkpoints/tiny.pt",
];

/** A small file of every later version of the program. */
export const generationFixtures = [
  "models/tiny-early.distill",
  "models/tiny.distill",
  "models/tiny.distillgan",
  "models/tiny-vocoder.distillgan",
  "models/tiny-cancelled.distillgan",
  "models/tiny-complex.distill",
  "models/tiny-vq.distill",
  "models/tiny-prior.distill",
];
