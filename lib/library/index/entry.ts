import { extname } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { show } from "../../base/brief.js";
import { badArgument } from "../../base/check.js";
import {
  type PyDict,
  type PyValue,
  parsePythonJson,
  pythonString,
  writePythonJson,
} from "../../base/python-json.js";
import { isMap } from "../../base/realm.js";
import { GENERATIONS } from "../../format/generations.js";
import type { ModelMetadata } from "../../format/metadata.js";
import type { Names } from "../../format/names.js";
import type { VocoderInfo } from "../../format/vocoder.js";
import { isInsideByName } from "./place.js";

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
  /** The vocoder in the file, as the index knows it; null: none, or the index has version 1 */
  vocoder: VocoderInfo | null;
}

/** An entry to add. Without `vocoder`, it has none. */
export type NewModelEntry = Omit<ModelEntry, "vocoder"> & Partial<Pick<ModelEntry, "vocoder">>;

/**
 * The fields by their name in the index. `native/library/index_scanner.cc` has the same names in
 * the same order. An index of version 1 lacks the last field, `vocoder`.
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
  vocoder: "vocoder",
} as const satisfies Names<ModelEntry>;

/** The fields of a vocoder by their name in the index. */
export const VOCODER_NAMES = {
  type: "type",
  epochs: "epochs",
  finalLoss: "final_loss",
  trainingDate: "training_date",
} as const satisfies Names<VocoderInfo>;

type Kind = "text" | "int" | "float" | "float or none" | "boolean" | "texts" | "vocoder";

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
  vocoder: "vocoder",
} as const satisfies { readonly [K in keyof ModelEntry]: Kind };

const VOCODER_KINDS = {
  type: "text",
  epochs: "int",
  finalLoss: "float or none",
  trainingDate: "text",
} as const satisfies { readonly [K in keyof VocoderInfo]: Kind };

export const FIELDS = Object.keys(ENTRY_NAMES) as readonly (keyof ModelEntry)[];
const VOCODER_FIELDS = Object.keys(VOCODER_NAMES) as readonly (keyof VocoderInfo)[];
const EXPECTED: Record<Kind, string> = {
  text: "a string",
  int: "a whole number",
  float: "a number",
  "float or none": "a number or null",
  boolean: "true or false",
  texts: "an array of strings",
  vocoder: "null or an object with type, epochs, finalLoss and trainingDate",
};

function fits(kind: Kind, value: unknown): boolean {
  switch (kind) {
    case "text":
      return typeof value === "string";
    case "int":
      return Number.isSafeInteger(value);
    case "float":
      return typeof value === "number";
    case "float or none":
      return typeof value === "number" || value === null;
    case "boolean":
      return typeof value === "boolean";
    case "texts":
      return Array.isArray(value) && value.every((item) => typeof item === "string");
    case "vocoder":
      return value === null || (typeof value === "object" && !Array.isArray(value));
  }
}

/** Freezes an entry, because every search returns the same object. */
export function freezeEntry(entry: ModelEntry): ModelEntry {
  Object.freeze(entry.tags);
  Object.freeze(entry.vocoder);
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
  const { vocoder: given = null, ...others } = entry as Partial<ModelEntry>;
  const copy = checkFields("entry", { ...others, vocoder: given }, ENTRY_NAMES, KINDS);
  if (copy["vocoder"] !== null) {
    const vocoder = copy["vocoder"] as object;
    copy["vocoder"] = checkFields("entry.vocoder", vocoder, VOCODER_NAMES, VOCODER_KINDS);
  }
  const checked = copy as unknown as ModelEntry;
  if (checked.modelId === "") throw badArgument("entry.modelId", "an id", "");
  if (!isInsideByName(checked.filePath)) {
    throw badArgument("entry.filePath", "a path inside the models folder", checked.filePath);
  }
  return freezeEntry(checked);
}

/** Returns a copy of the fields in the order of `names`. @throws SdaError ERR_SDA_ARGUMENT */
function checkFields(
  option: string,
  given: object,
  names: Readonly<Record<string, string>>,
  kinds: Readonly<Record<string, Kind>>,
): Record<string, unknown> {
  const values = given as Record<string, unknown>;
  const unknown = Object.keys(values).find((key) => !Object.hasOwn(names, key));
  if (unknown !== undefined) {
    const expected = `absent (${option} has no such field)`;
    throw badArgument(`${option}.${unknown}`, expected, values[unknown]);
  }
  const copy: Record<string, unknown> = {};
  for (const field of Object.keys(names)) {
    const value = values[field];
    const kind = kinds[field] as Kind;
    if (!fits(kind, value)) throw badArgument(`${option}.${field}`, EXPECTED[kind], value);
    // A copy of an array, and 0 in place of -0
    copy[field] = Array.isArray(value) ? [...value] : kind === "int" ? Number(value) + 0 : value;
  }
  return copy;
}

/**
 * Makes an entry of a value in the index. An int is allowed where a float is expected, and a whole
 * float where an int is expected. Fields that this code does not know are from a later version of
 * the program: they are ignored here, and rewrites keep them.
 *
 * @returns a string if the value is no entry: what is wrong with it
 */
export function entryFromPython(value: PyValue): ModelEntry | string {
  if (!isMap(value)) return "not an object";
  const entry = fieldsFromPython(value, "", ENTRY_NAMES, KINDS);
  if (typeof entry === "string") return entry;
  const vocoder = value.get(ENTRY_NAMES.vocoder) ?? null;
  if (isMap(vocoder)) {
    const fields = fieldsFromPython(vocoder, "vocoder.", VOCODER_NAMES, VOCODER_KINDS);
    if (typeof fields === "string") return fields;
    entry["vocoder"] = fields;
  }
  return freezeEntry(entry as unknown as ModelEntry);
}

/** Reads the fields of an object. @returns a string: what is wrong with it */
function fieldsFromPython(
  dict: PyDict,
  prefix: string,
  names: Readonly<Record<string, string>>,
  kinds: Readonly<Record<string, Kind>>,
): Record<string, unknown> | string {
  const fields: Record<string, unknown> = {};
  for (const [field, name] of Object.entries(names)) {
    const kind = kinds[field] as Kind;
    const found = kind === "vocoder" && !dict.has(name) ? null : dict.get(name);
    if (found === undefined) return `${prefix}${name} is missing`;
    const isNumber = kind === "int" || kind === "float" || kind === "float or none";
    const plain = typeof found === "bigint" && isNumber ? Number(found) : found;
    // Python's ints have any length. A double is close enough to a larger one for display.
    const isLarge = kind === "int" && typeof found === "bigint" && Number.isFinite(plain);
    if (!isLarge && !fits(kind, plain)) {
      return `${prefix}${name} is ${show(found)}, not ${EXPECTED[kind]}`;
    }
    fields[field] = plain;
  }
  return fields;
}

/** Makes an entry of an object whose fields and types are known to be right. */
export function entryFromJson(value: Record<string, unknown>): ModelEntry {
  const entry: Record<string, unknown> = {};
  for (const field of FIELDS) entry[field] = value[ENTRY_NAMES[field]];
  entry["vocoder"] = vocoderFromJson(entry["vocoder"] as Record<string, unknown> | null);
  return freezeEntry(entry as unknown as ModelEntry);
}

function vocoderFromJson(value: Record<string, unknown> | null = null): VocoderInfo | null {
  if (value === null) return null;
  const fields = VOCODER_FIELDS.map((field) => [field, value[VOCODER_NAMES[field]]]);
  return Object.fromEntries(fields) as VocoderInfo;
}

/** The text `"id": {…}` of an entry in an index of version 1, which has no vocoders. */
export function entryText(entry: ModelEntry): string {
  return entryTextIn(1, entry);
}

/** The text `"id": {…}` of an entry in an index of this version. */
export function entryTextIn(version: number, entry: ModelEntry): string {
  const fields = version === 1 ? FIELDS.slice(0, -1) : FIELDS;
  const lines = fields.map((field) => `      "${ENTRY_NAMES[field]}": ${valueText(field, entry)}`);
  return `${pythonString(entry.modelId)}: {\n${lines.join(",\n")}\n    }`;
}

function valueText(field: keyof ModelEntry, entry: ModelEntry): string {
  return writePythonJson(toPython(KINDS[field], entry[field]), 3);
}

function toPython(kind: Kind, value: unknown): PyValue {
  if (value === null) return null;
  if (kind === "int") return BigInt(value as number);
  return kind === "vocoder" ? vocoderToPython(value as VocoderInfo) : (value as PyValue);
}

function vocoderToPython(vocoder: VocoderInfo): PyDict {
  return new Map(
    VOCODER_FIELDS.map((field) => [
      VOCODER_NAMES[field],
      toPython(VOCODER_KINDS[field], vocoder[field]),
    ]),
  );
}

/**
 * As `entryTextIn`, for an entry that replaces one with fields that this code does not know. They
 * stay, in their places, and so does each value that has not changed.
 *
 * @param old the replaced entry as it is in the index
 */
export function replacedText(version: number, entry: ModelEntry, old: PyDict): string {
  const before = entryFromPython(old) as ModelEntry;
  const merged = new Map(old);
  for (const field of FIELDS) {
    const name = ENTRY_NAMES[field];
    if (merged.has(name) && isDeepStrictEqual(before[field], entry[field])) continue;
    if (field === "vocoder" && version === 1) continue;
    const value = toPython(KINDS[field], entry[field]);
    const oldValue = old.get(name);
    const isVocoder = field === "vocoder" && isMap(oldValue) && isMap(value);
    merged.set(name, isVocoder ? new Map([...(oldValue as PyDict), ...(value as PyDict)]) : value);
  }
  return `${pythonString(entry.modelId)}: ${writePythonJson(merged, 2)}`;
}

/** Adds the field `vocoder` to an entry's text `"id": {…}` if the entry lacks it. */
export function upgradedText(text: string): string {
  const [[id, value] = []] = parsePythonJson(`{${text}}`) as PyDict;
  if (id === undefined || !isMap(value) || value.has(ENTRY_NAMES.vocoder)) return text;
  const upgraded = new Map(value).set(ENTRY_NAMES.vocoder, null);
  return `${pythonString(id)}: ${writePythonJson(upgraded, 2)}`;
}

/** Whether an entry belongs in an index with vocoders, which is one of version 2. */
export function needsVocoders({ vocoder, filePath }: ModelEntry): boolean {
  return vocoder !== null || extname(filePath).toLowerCase() === GENERATIONS.distillgan.suffix;
}

/** Makes the entry of a model file with this metadata. */
export function entryFromMetadata(
  metadata: ModelMetadata,
  file: {
    modelId: string;
    filePath: string;
    fileSizeBytes: number;
    vocoder: VocoderInfo | null;
  },
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
