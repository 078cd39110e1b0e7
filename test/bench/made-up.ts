/** Results that nobody measured. */
import { type Ratio, type Result, type Row, SCHEMA } from "../../bench/support/schema.js";
import type { Summary } from "../../bench/support/statistics.js";

export function around(median: number, spread = 0.01, samples = 20): Summary {
  const [low, high] = [median * (1 - spread), median * (1 + spread)];
  return { samples, median, low, high, between: [low, high], confidence: samples < 6 ? 0.9 : 0.96 };
}

export const row = (name: string, summary: Summary, unit: Row["unit"] = "ms"): Row => ({
  name,
  unit,
  ...summary,
});

export function result(rows: Row[], ratios: Ratio[] = [], cpu = "A", torch = "2.13"): Result {
  return {
    schema: SCHEMA,
    suite: "load",
    quick: false,
    environment: {
      cpu,
      processors: 2,
      memory: 2 ** 33,
      platform: "linux-x64",
      node: "v20.0.0",
      engine: { libtorch: "2.13.0", threads: 2 },
      date: "2026-01-02T03:04:05.678Z",
    },
    model: { file: "m.sda", bytes: 12_600_000 },
    rows,
    ratios,
    notes: [],
    peers: { python: "3.12.1", torch },
  };
}
