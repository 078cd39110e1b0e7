import { randomUUID } from "node:crypto";
import { unlink } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import type { GenerationResult } from "../../audio/generation.js";
import type { GenerateOptions } from "../../audio/options.js";
import { writeWav } from "../../audio/wav.js";
import { type BitDepth, DEFAULT_BIT_DEPTH } from "../../audio/wav-format.js";
import { waveformPicture } from "../../audio/waveform-picture.js";
import {
  badArgument,
  checkBoolean,
  checkFilledText,
  checkInteger,
  checkOptions,
  optionNames,
  toFilePath,
} from "../../base/check.js";
import { SdaError } from "../../base/errors.js";
import { errnoOf } from "../../base/io-error.js";
import { makeFolder } from "../../base/make-folder.js";
import { writeOutput } from "../../base/output-file.js";
import type { PyDict, PyValue } from "../../base/python-json.js";
import { readRecord, writeRecord } from "../../base/python-record.js";
import { warn } from "../../base/warnings.js";
import { pythonIsoDate } from "../../format/file-content.js";
import type { ModelMetadata } from "../../format/metadata.js";
import type { AnalysisResult } from "../../latent/analysis.js";
import { slidersToLatent } from "../../latent/sliders.js";
import type { DocumentKind } from "../documents/document.js";
import { DocumentFolder } from "../documents/document-folder.js";
import { checkId } from "../index/entry.js";
import { type FolderOptions, LOCK_OPTIONS, type LockOptions } from "../index/lock.js";
import { checkLockKind } from "../index/lock-kind.js";
import { IndexPlace, realFolder } from "../index/place.js";
import { HISTORY_FIELDS, type HistoryEntry } from "./history-entry.js";

/** The model of a sound in the history: a `LoadedModel`, or these parts of one. */
export interface HistoryModel {
  metadata: Pick<ModelMetadata, "modelId" | "name" | "nActiveComponents">;
  /** Tells the latent vector of `options.sliders` */
  analysis?: AnalysisResult | null;
}

/** What the history keeps of a sound, beside the sound itself. */
export interface HistoryAddOptions extends LockOptions {
  model: HistoryModel;
  /** The options that `generate` was called with; the seed comes from the sound */
  options?: GenerateOptions;
  /** The name of the preset that the sound was made with; default "custom": none */
  presetName?: string;
  /** Bit depth of the WAV file; default 24 */
  bitDepth?: BitDepth;
}

/** Options of `History.list`. */
export interface HistoryListOptions {
  /** Only sounds of this model */
  modelId?: string;
  /** At most this many entries */
  limit?: number;
  /** false: oldest first; default true */
  reverse?: boolean;
}

const ADD_OPTIONS = optionNames<HistoryAddOptions>({
  model: true,
  options: true,
  presetName: true,
  bitDepth: true,
  lockTimeoutMs: true,
  signal: true,
});
const LONGEST_NAME = 200;
/** The value of `presetName` for a sound without a preset. */
const NO_PRESET = "custom";

const KIND: DocumentKind = {
  version: 1,
  records: "entries",
  lists: [],
  empty: () =>
    new Map<string, PyValue>([
      ["version", 1n],
      ["entries", new Map()],
    ]),
};

/**
 * The history of made sounds in a folder, which the Python program has as well: `history.json`, the
 * sounds as WAV files in `audio`, and pictures of them in `thumbnails`. Reading takes no lock: it
 * sees the history as it was when it was opened, with its own changes. `refresh()` reads the
 * changes of others.
 *
 * A change is durable on disk when its promise resolves. Several processes may change the history
 * at the same time, and the Python program may be one of them. Fields that this package does not
 * know keep their places. The file before the last change stays as `history.json.bak`; a damaged
 * file is replaced by it, and kept under another name.
 *
 * A process that is killed while it adds or deletes a sound may leave the sound's files without an
 * entry. They are never deleted, because a restored backup lacks entries, too.
 *
 * @example
 * ```js
 * const model = await loadModel("data/models/pads.sda");
 * const options = { durationS: 2, seed: 42 };
 * const sound = await model.generate(options);
 * const history = await History.open("data/history");
 * const { entryId } = await history.add(sound, { model, options });
 * console.log(history.get(entryId).seed, await history.audioPath(entryId));
 * model.dispose();
 * ```
 */
export class History {
  readonly #entries: DocumentFolder<HistoryEntry>;

  private constructor(entries: DocumentFolder<HistoryEntry>) {
    this.#entries = entries;
  }

  /**
   * Reads the history of a folder. Without a file, it is empty; the first sound makes the folder. A
   * file of a newer version is listed as far as it is understood, and never changed.
   *
   * @throws SdaError ERR_SDA_LIMIT: the file is longer than 64 MiB; ERR_SDA_LOCKED: another program
   *   holds the lock while a damaged file is to be replaced; ERR_SDA_ARGUMENT; ERR_SDA_IO
   * @example
   * ```js
   * const history = await History.open("data/history");
   * for (const { timestamp, modelName, seed } of history.list({ limit: 10 })) {
   *   console.log(timestamp, modelName, seed);
   * }
   * ```
   */
  static async open(
    historyDir: string | URL,
    options: Pick<FolderOptions, "lock"> = {},
  ): Promise<History> {
    checkOptions("options", options, ["lock"]);
    const lock = checkLockKind(options.lock) ?? "flock";
    const path = await realFolder("historyDir", toFilePath(historyDir));
    const place = new IndexPlace(path, "history.json", lock, "history folder");
    return new History(await DocumentFolder.open(KIND, place, HISTORY_FIELDS, "entryId"));
  }

  /** The folder's absolute path. The folder need not exist. */
  get path(): string {
    return this.#entries.place.path;
  }

  /**
   * The entries, newest first.
   *
   * @throws SdaError ERR_SDA_ARGUMENT (`details.option`)
   */
  list(options: HistoryListOptions = {}): HistoryEntry[] {
    checkOptions("options", options, ["modelId", "limit", "reverse"]);
    const { modelId, limit, reverse = true } = options;
    if (modelId !== undefined && typeof modelId !== "string") {
      throw badArgument("modelId", "a string", modelId);
    }
    checkBoolean("reverse", reverse);
    if (limit !== undefined) checkInteger("limit", limit, 0, Number.MAX_SAFE_INTEGER);
    const all = this.#entries.all();
    const found = modelId === undefined ? all : all.filter((e) => e.modelId === modelId);
    // Dates of one form sort as text. Of equal dates, the later entry in the file is newer.
    found.sort((a, b) => (a.timestamp < b.timestamp ? -1 : a.timestamp > b.timestamp ? 1 : 0));
    if (reverse) found.reverse();
    return found.slice(0, limit).map(copy);
  }

  /** The entry with this id; null when there is none. */
  get(entryId: string): HistoryEntry | null {
    const found = this.#entries.get(checkId(entryId));
    return found && copy(found);
  }

  /** The number of entries. */
  count(): number {
    return this.#entries.all().length;
  }

  /**
   * The absolute path of an entry's WAV file; null when there is no such entry. The file may be
   * missing.
   *
   * @throws SdaError ERR_SDA_UNSAFE: the path leads out of the history's folder
   */
  async audioPath(entryId: string): Promise<string | null> {
    const entry = this.get(entryId);
    return entry && this.#entries.place.resolve(entry.audioFile);
  }

  /**
   * The absolute path of an entry's picture; null when there is no such entry, or it has none. The
   * file may be missing.
   *
   * @throws SdaError ERR_SDA_UNSAFE: the path leads out of the history's folder
   */
  async thumbnailPath(entryId: string): Promise<string | null> {
    const file = this.get(entryId)?.thumbnailFile;
    return file ? this.#entries.place.resolve(file) : null;
  }

  /**
   * Reads the history again if another program has changed it.
   *
   * @returns whether the file has changed
   * @throws SdaError as `open`
   */
  refresh(): Promise<boolean> {
    return this.#entries.refresh();
  }

  /**
   * Adds a sound: its WAV file, a picture of its waveform (PNG, 310 × 46 pixels), and its entry.
   * After an error, none of them is there.
   *
   * @param sound as `LoadedModel.generate` returned it
   * @throws SdaError ERR_SDA_ARGUMENT (`details.option`; also for samples that are not finite),
   *   ERR_SDA_VERSION (the file is newer than supported), ERR_SDA_LOCKED, ERR_SDA_LIMIT,
   *   ERR_SDA_IO; `signal.reason`
   */
  async add(sound: GenerationResult, options: HistoryAddOptions): Promise<HistoryEntry> {
    checkOptions("options", options, ADD_OPTIONS);
    const { bitDepth = DEFAULT_BIT_DEPTH, signal } = options ?? {};
    const entry = entryOf(sound, options);
    const record = recordOf(entry, sound);
    const picture = waveformPicture(sound);
    const audio = join(this.path, entry.audioFile);
    const thumbnail = join(this.path, entry.thumbnailFile);
    await makeFolder(join(this.path, AUDIO));
    await makeFolder(join(this.path, THUMBNAILS));
    try {
      await writeWav(audio, sound, { bitDepth, ...(signal && { signal }) });
      await writeOutput(thumbnail, (append) => append(picture));
      await this.#entries.change(
        (draft) => draft.setRecord(entry.entryId, record),
        lockOptions(options),
        true,
      );
    } catch (error) {
      for (const path of [audio, thumbnail]) await unlink(path).catch(() => {});
      throw error;
    }
    return copy(entry);
  }

  /**
   * Deletes an entry, its WAV file and its picture. A file that is not in `audio` or `thumbnails`
   * stays, and a process warning reports it. A file that another entry names stays, too.
   *
   * @returns false: there is no such entry
   * @throws SdaError as `add`; the files stay where the entry stays
   */
  async delete(entryId: string, options: LockOptions = {}): Promise<boolean> {
    checkId(entryId);
    checkOptions("options", options, LOCK_OPTIONS);
    const entry = await this.#entries.change(
      (draft) => {
        const found = this.#entries.get(entryId, draft.document);
        return found !== null && this.#entries.remove(entryId, draft) ? found : null;
      },
      options,
      false,
    );
    if (entry === null) return false;
    const others = new Set(this.#entries.all().flatMap(filesOf));
    for (const file of filesOf(entry)) if (!others.has(file)) await this.#deleteFile(file);
    return true;
  }

  async #deleteFile(file: string): Promise<void> {
    try {
      const path = await this.#entries.place.resolve(file);
      if (![AUDIO, THUMBNAILS].includes(dirname(normalize(file)))) {
        throw new SdaError("ERR_SDA_UNSAFE", `it is not in ${AUDIO} or ${THUMBNAILS}`, { path });
      }
      await unlink(path);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return;
      const problem = `${this.path}: ${JSON.stringify(file)} of a deleted entry stays`;
      warn("SDA_CLEANUP_FAILED", `${problem}: ${(error as Error).message}`);
    }
  }
}

const AUDIO = "audio";
const THUMBNAILS = "thumbnails";

function lockOptions({ lockTimeoutMs, signal }: LockOptions): LockOptions {
  return { ...(lockTimeoutMs !== undefined && { lockTimeoutMs }), ...(signal && { signal }) };
}

function filesOf({ audioFile, thumbnailFile }: HistoryEntry): string[] {
  return [audioFile, thumbnailFile].filter((file) => file !== "");
}

function recordOf(entry: HistoryEntry, sound: GenerationResult): PyDict {
  try {
    const record = writeRecord(HISTORY_FIELDS, entry);
    const isComplete = record.size === Object.keys(HISTORY_FIELDS).length;
    if (isComplete && typeof readRecord(HISTORY_FIELDS, record) !== "string") return record;
  } catch {
    // a part of the sound is missing
  }
  throw badArgument("sound", "as LoadedModel.generate returns it", sound);
}

/** Checks what `add` was called with. @throws SdaError ERR_SDA_ARGUMENT */
function entryOf(sound: GenerationResult, given: HistoryAddOptions): HistoryEntry {
  const { model, options = {}, presetName = NO_PRESET } = given ?? {};
  const metadata = model?.metadata;
  if (typeof metadata?.name !== "string" || typeof metadata.modelId !== "string") {
    throw badArgument("model", "a LoadedModel, or an object with its metadata", model);
  }
  const { sliders, latent } = options;
  const analysis = model.analysis ?? null;
  const first = latent ?? (sliders && analysis ? slidersToLatent(analysis, sliders) : undefined);
  const entryId = randomUUID();
  return {
    entryId,
    timestamp: pythonIsoDate(new Date()),
    modelId: metadata.modelId,
    modelName: metadata.name,
    // An empty list is stored as null, too.
    sliderPositions: sliders && sliders.length > 0 ? [...sliders] : null,
    nComponents: sliders?.length || metadata.nActiveComponents || 0,
    seed: checkInteger("sound.seed", sound?.seed, 0, Number.MAX_SAFE_INTEGER),
    durationS: sound.durationS,
    sampleRate: sound.sampleRate,
    stereoMode: "mono",
    presetName: checkFilledText("presetName", presetName, LONGEST_NAME),
    audioFile: `${AUDIO}/${entryId}.wav`,
    thumbnailFile: `${THUMBNAILS}/${entryId}.png`,
    qualityScore: sound.quality,
    latentVector: first ? Array.from(first) : null,
  };
}

/** The caller may change its copy. */
function copy(entry: HistoryEntry): HistoryEntry {
  return structuredClone(entry);
}
