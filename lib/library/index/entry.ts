import { show } from "../../base/brief.js";
import { badArgument } from "../../base/check.js";
import { isMap } from "../../base/realm.js";
import type { ModelMetadata } from "../../format/metadata.js";
import type { Names } from "../../format/names.js";
import { isInsideByName } from "./folder.js";
import { type PyDict, type PyValue, pythonFloat, pythonString } from "./python-json.js";

/** One model, as the index describes it. */
export interface ModelEntry {
  /** A UUID, unless another program chose the id; the entry's key in the index */
  modelId: string;
  name: string;
  description: string;
  /** Path of the model's file, relative to the models folder */
  filePath: string;
  fileSizeBytes: number;
  datasetName: string;
  datasetFileCount: number;
  /** Seconds */
  datasetTotalDurationS: number;
  /** ISO 8601 in UTC, or "" when unknown */
  trainingDate: string;
  /** ISO 8601 in UTC, or "" when unknown */
  saveDate: string;
  trainingEpochs: number;
  finalTrainLoss: number;
  finalValLoss: number;
  hasAnalysis: boolean;
  nActiveComponents: number;
  tags: string[];
}

/**
 * The fields by their name in the index. `native/library/index_scanner.cc` has the same names in
 * the same order.
 */
export const ENTRY_NAMES = {
  modelId: "model_id",
  name: "name",
  description: "description",
  filePath: "file_path",
  fileSizeBytes: "file_size_bytes",
  datasetName: "dataset_name",
  datasetFileCount: "dataset_file_count",
  datasetTotalDurationS: "dataset_total_duration_s",
  trainingDate: "training_date",
  saveDate: "save_date",
  trainingEpochs: "training_epochs",
  finalTrainLoss: "final_train_loss",
  finalValLoss: "final_val_loss",
  hasAnalysis: "has_analysis",
  nActiveComponents: "n_active_components",
  tags: "tags",
} as const satisfies Names<ModelEntry>;

type Kind = "text" | "int" | "float" | "boolean" | "texts";

const KINDS = {
  modelId: "text",
  name: "text",
  description: "text",
  filePath: "text",
  fileSizeBytes: "int",
  datasetName: "text",
  datasetFileCount: "int",
  datasetTotalDurationS: "float",
  trainingDate: "text",
  saveDate: "text",
  trainingEpochs: "int",
  finalTrainLoss: "float",
  finalValLoss: "float",
  hasAnalysis: "boolean",
  nActiveComponents: "int",
  tags: "texts",
} as const satisfies { readonly [K in keyof ModelEntry]: Kind };

export const FIELDS = Object.keys(ENTRY_NAMES) as readonly (keyof ModelEntry)[];
const EXPECTED: Record<Kind, string> = {
  text: "a string",
  int: "a whole number",
  float: "a number",
  boolean: "true or false",
  texts: "an array of strings",
};

function fits(kind: Kind, value: unknown): boolean {
  switch (kind) {
    case "text":
      return typeof value === "string";
    case "int":
      return Number.isSafeInteger(value);
    case "float":
      return typeof value === "number";
    case "boolean":
      return typeof value === "boolean";
    case "texts":
      return Array.isArray(value) && value.every((item) => typeof item === "string");
  }
}

/** Freezes an entry, because every search returns the same object. */
export function freezeEntry(entry: ModelEntry): ModelEntry {
  Object.freeze(entry.tags);
  return Object.freeze(entry);
}

/**
 * Checks a caller's entry and returns a frozen copy with its fields in the index's order.
 *
 * @throws SdaError ERR_SDA_ARGUMENT: a field is missing, unknown or of another type, the id is
 *   empty, or `filePath` leads out of the folder
 */
export function checkEntry(entry: unknown): ModelEntry {
  if (typeof entry !== "object" || entry === null) throw badArgument("entry", "an object", entry);
  const given = entry as Record<string, unknown>;
  const unknown = Object.keys(given).find((key) => !Object.hasOwn(ENTRY_NAMES, key));
  if (unknown !== undefined) {
    throw badArgument(`entry.${unknown}`, "absent (entries have no such field)", given[unknown]);
  }
  const copy: Record<string, unknown> = {};
  for (const field of FIELDS) {
    const value = given[field];
    if (!fits(KINDS[field], value))
      throw badArgument(`entry.${field}`, EXPECTED[KINDS[field]], value);
    copy[field] = Array.isArray(value)
      ? [...value]
      : KINDS[field] === "int"
        ? Number(value) + 0
        : value;
  }
  const checked = copy as unknown as ModelEntry;
  if (checked.modelId === "") throw badArgument("entry.modelId", "an id", "");
  if (!isInsideByName(checked.filePath)) {
    throw badArgument("entry.filePath", "a path inside the models folder", checked.filePath);
  }
  return freezeEntry(checked);
}

/**
 * Makes an entry of a value in the index. An int is allowed where a float is expected, and a whole
 * float where an int is expected.
 *
 * @returns a string if the value is no entry: what is wrong with it
 */
export function entryFromPython(value: PyValue): ModelEntry | string {
  if (!isMap(value)) return "not an object";
  const entry: Record<string, unknown> = {};
  for (const field of FIELDS) {
    const name = ENTRY_NAMES[field];
    const found = value.get(name);
    if (found === undefined) return `${name} is missing`;
    const kind: Kind = KINDS[field];
    const plain =
      typeof found === "bigint" && (kind === "int" || kind === "float") ? Number(found) : found;
    // Python's ints have any length. A double is close enough to a larger one for display.
    const isLarge = kind === "int" && typeof found === "bigint" && Number.isFinite(plain);
    if (!isLarge && !fits(kind, plain)) return `${name} is ${show(found)}, not ${EXPECTED[kind]}`;
    entry[field] = plain;
  }
  if (value.size > FIELDS.length) return `unknown field ${show(unknownField(value))}`;
  return freezeEntry(entry as unknown as ModelEntry);
}

function unknownField(value: PyDict): string | undefined {
  const known = new Set<string>(Object.values(ENTRY_NAMES));
  return [...value.keys()].find((key) => !known.has(key));
}

/** Makes an entry of an object whose fields and types are known to be right. */
export function entryFromJson(value: Record<string, unknown>): ModelEntry {
  const entry: Record<string, unknown> = {};
  for (const field of FIELDS) entry[field] = value[ENTRY_NAMES[field]];
  return freezeEntry(entry as unknown as ModelEntry);
}

/** The text `"id": {…}` of an entry in the index. */
export function entryText(entry: ModelEntry): string {
  const lines = FIELDS.map((field) => `      "${ENTRY_NAMES[field]}": ${valueText(field, entry)}`);
  return `${pythonString(entry.modelId)}: {\n${lines.join(",\n")}\n    }`;
}

function valueText(field: keyof ModelEntry, entry: ModelEntry): string {
  const value = entry[field];
  if (typeof value === "string") return pythonString(value);
  if (typeof value === "number")
    return KINDS[field] === "float" ? pythonFloat(value) : String(value);
  if (typeof value === "boolean") return String(value);
  if (value.length === 0) return "[]";
  return `[\n${value.map((tag) => `        ${pythonString(tag)}`).join(",\n")}\n      ]`;
}

/** Makes the entry of a model file with this metadata. */
export function entryFromMetadata(
  metadata: ModelMetadata,
  file: { modelId: string; filePath: string; fileSizeBytes: number },
): ModelEntry {
  const entry: Record<string, unknown> = { ...metadata, ...file };
  return checkEntry(Object.fromEntries(FIELDS.map((field) => [field, entry[field]])));
}

export function isField(name: unknown): name is keyof ModelEntry {
  return typeof name === "string" && Object.hasOwn(KINDS, name);
}

export function isFloat(field: keyof ModelEntry): boolean {
  return KINDS[field] === "float";
}

export function checkId(id: unknown): string {
  if (typeof id !== "string") throw badArgument("id", "a string", id);
  return id;
}
