import { join, resolve } from "node:path";
import type { TomlTable } from "smol-toml";
import { show } from "../base/brief.js";
import { toFilePath } from "../base/check.js";
import { SdaError } from "../base/errors.js";
import { isSdaError } from "../base/io-error.js";
import { readText } from "../base/read-file.js";

/** The folders of the Python program's data, as absolute paths. They need not exist. */
export interface DataFolders {
  /** Models and their index: for `ModelLibrary.open` */
  models: string;
  /** For `PresetStore.open` */
  presets: string;
  /** For `History.open` */
  history: string;
  /** Exported sounds */
  generated: string;
  /** Sounds to train models with */
  datasets: string;
}

const NAMES = ["models", "presets", "history", "generated", "datasets"] as const;
const CONFIG = "config.toml";
/** Bytes of config.toml. */
const MOST_BYTES = 2 ** 20;

/**
 * Finds the folders of the Python program's data: those that `[paths]` of its `config.toml` names,
 * and otherwise the folders `models`, `presets`, `history`, `generated` and `datasets` in the data
 * folder. Relative paths begin at the data folder.
 *
 * @param dataDir the folder of `config.toml`. Neither of them need exist
 * @throws SdaError ERR_SDA_FORMAT: `config.toml` is no TOML file (`details.line`); ERR_SDA_SCHEMA:
 *   a path is not a text (`details.field`); ERR_SDA_LIMIT: the file has more than a MiB; ERR_SDA_IO
 * @example
 * ```js
 * const { models, presets } = await dataFolders("data");
 * const library = await ModelLibrary.open(models);
 * const [model] = library.listAll();
 * console.log((await PresetStore.open(presets, model.modelId)).list());
 * ```
 */
export async function dataFolders(dataDir: string | URL): Promise<DataFolders> {
  const folder = resolve(toFilePath(dataDir));
  const config = join(folder, CONFIG);
  const paths = (await readConfig(config))["paths"] ?? {};
  if (!isTable(paths)) throw wrong(config, "paths", "a table", paths);
  const folders = NAMES.map((name) => {
    const path = Object.hasOwn(paths, name) ? paths[name] : name;
    if (typeof path !== "string" || path === "" || path.includes("\0")) {
      throw wrong(config, `paths.${name}`, "the path of a folder", path);
    }
    return [name, resolve(folder, path)];
  });
  return Object.fromEntries(folders);
}

async function readConfig(path: string): Promise<TomlTable> {
  const text = await readText(path, MOST_BYTES).catch((error) => {
    if (isSdaError(error, "ERR_SDA_NOT_FOUND")) return "";
    throw error;
  });
  if (text === "") return {};
  // Loaded on demand: most programs name their folders themselves.
  const { parse, TomlError } = await import("smol-toml");
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const { line, column } = error;
    const [problem] = error.message.split("\n");
    const what = `${path} is no TOML file: line ${line}, column ${column}: ${problem}`;
    throw new SdaError("ERR_SDA_FORMAT", what, { path, line, column }, { cause: error });
  }
}

function isTable(value: unknown): value is TomlTable {
  const isObject = typeof value === "object" && value !== null;
  return isObject && !Array.isArray(value) && !(value instanceof Date);
}

function wrong(path: string, field: string, expected: string, value: unknown): SdaError {
  const problem = `${path}: ${field} must be ${expected}, got ${show(value)}`;
  return new SdaError("ERR_SDA_SCHEMA", problem, { path, field });
}
