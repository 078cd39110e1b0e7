import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ModelEntry } from "../../lib/index.js";

export function entry(number: number, changes: Partial<ModelEntry> = {}): ModelEntry {
  const id = `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
  return {
    modelId: id,
    name: `Model ${number}`,
    description: "",
    filePath: `m${number}.sda`,
    fileSizeBytes: 1000 + number,
    datasetName: "kitchen",
    datasetFileCount: 3,
    datasetTotalDurationS: 12.5,
    trainingDate: "",
    saveDate: `2026-01-01T00:00:00.${String(number).padStart(6, "0")}+00:00`,
    trainingEpochs: 100,
    finalTrainLoss: 0.5,
    finalValLoss: 0.25,
    hasAnalysis: false,
    nActiveComponents: 0,
    tags: [],
    vocoder: null,
    ...changes,
  };
}

/** The text of an index in Python's layout. Each of `texts` is one entry: `"id": {…}`. */
export function indexText(texts: string[], version = 1): string {
  const models = texts.length === 0 ? "{}" : `{\n    ${texts.join(",\n    ")}\n  }`;
  return `{\n  "version": ${version},\n  "models": ${models}\n}`;
}

export function put(folder: string, name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, content);
  return path;
}

export const INDEX = "model_library.json";
export const BACKUP = "model_library.json.bak";
