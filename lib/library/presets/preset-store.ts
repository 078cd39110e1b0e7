import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { badArgument, checkOptions, toFilePath } from "../../base/check.js";
import { SdaError } from "../../base/errors.js";
import type { PyDict, PyValue } from "../../base/python-json.js";
import { writeRecord } from "../../base/python-record.js";
import { isMap } from "../../base/realm.js";
import { pythonIsoDate } from "../../format/file-content.js";
import type { Document, DocumentKind, Draft } from "../documents/document.js";
import { DocumentFolder } from "../documents/document-folder.js";
import { checkId } from "../index/entry.js";
import type { FolderOptions, LockOptions } from "../index/lock.js";
import { LOCK_OPTIONS } from "../index/lock.js";
import { checkLockKind } from "../index/lock-kind.js";
import { IndexPlace, isInsideByName, realFolder } from "../index/place.js";
import {
  checkFolderName,
  checkNewPreset,
  checkPresetChanges,
  type NewPreset,
  PRESET_FIELDS,
  type Preset,
  type PresetChanges,
} from "./preset.js";

/** Options of `PresetStore.deleteFolder`. */
export interface DeleteFolderOptions extends LockOptions {
  /** The folder that gets the presets; default "": none */
  moveTo?: string;
}

/**
 * The presets of one model, in `<presetsDir>/<modelId>/presets.json`, which the Python program has
 * as well. Reading takes no lock: it sees the presets as they were when the store was opened, with
 * this store's own changes. `refresh()` reads the changes of others.
 *
 * A change is durable on disk when its promise resolves. Several processes may change the presets
 * at the same time, and the Python program may be one of them. Fields that this package does not
 * know keep their places. The file before the last change stays as `presets.json.bak`; a damaged
 * file is replaced by it, and kept under another name.
 *
 * A folder is a name. A preset may name a folder that has never been created.
 *
 * @example
 * ```js
 * const presets = await PresetStore.open("data/presets", "6f9619ff-8b86-4d01-b42d-00cf4fc964ff");
 * await presets.createFolder("Dark");
 * const { presetId } = await presets.save({
 *   name: "Cellar",
 *   sliderPositions: [3, -4],
 *   seed: 42,
 *   folder: "Dark",
 * });
 * await presets.update(presetId, { description: "Low and slow" });
 * console.log(presets.list({ folder: "Dark" }).map(({ name }) => name)); // [ 'Cellar' ]
 * ```
 */
export class PresetStore {
  /** The id of the presets' model. */
  readonly modelId: string;
  readonly #presets: DocumentFolder<Preset>;

  private constructor(modelId: string, presets: DocumentFolder<Preset>) {
    this.modelId = modelId;
    this.#presets = presets;
  }

  /**
   * Reads the presets of a model. Without a file, there are none; the first change makes the
   * folder. A file of a newer version is listed as far as it is understood, and never changed.
   *
   * @param presetsDir the folder of the presets of all models
   * @throws SdaError ERR_SDA_ARGUMENT: the id can't be the name of a folder, or the path is a file;
   *   ERR_SDA_LIMIT: the file is longer than 64 MiB; ERR_SDA_LOCKED: another program holds the lock
   *   while a damaged file is to be replaced; ERR_SDA_IO
   * @example
   * ```js
   * const [model] = (await ModelLibrary.open("data/models")).listAll();
   * const presets = await PresetStore.open("data/presets", model.modelId);
   * console.log(presets.folders(), presets.list().length);
   * ```
   */
  static async open(
    presetsDir: string | URL,
    modelId: string,
    options: Pick<FolderOptions, "lock"> = {},
  ): Promise<PresetStore> {
    checkOptions("options", options, ["lock"]);
    const lock = checkLockKind(options.lock) ?? "flock";
    if (!isFolderOfModel(modelId)) throw badArgument("modelId", "the id of a model", modelId);
    const path = await realFolder("presetsDir", join(toFilePath(presetsDir), modelId));
    const place = new IndexPlace(path, "presets.json", lock, "presets folder");
    const folder = await DocumentFolder.open(kindOf(modelId), place, PRESET_FIELDS, "presetId");
    return new PresetStore(modelId, folder);
  }

  /** The absolute path of the model's folder, which need not exist. */
  get path(): string {
    return this.#presets.place.path;
  }

  /**
   * The presets, in the order in which they were saved.
   *
   * @param options `folder`: only the presets of this folder; "": those without a folder
   * @throws SdaError ERR_SDA_ARGUMENT
   */
  list(options: { folder?: string } = {}): Preset[] {
    checkOptions("options", options, ["folder"]);
    const { folder } = options;
    if (folder !== undefined && typeof folder !== "string") {
      throw badArgument("folder", "a string", folder);
    }
    const all = this.#presets.all();
    return (folder === undefined ? all : all.filter((p) => p.folder === folder)).map(copy);
  }

  /** The preset with this id; null when there is none. */
  get(presetId: string): Preset | null {
    const found = this.#presets.get(checkId(presetId));
    return found && copy(found);
  }

  /**
   * The names of the folders: first the created ones in their order, then the folders that only
   * presets name.
   */
  folders(): string[] {
    return foldersOf(this.#presets.document, this.#presets.all());
  }

  /**
   * Reads the presets again if another program has changed them.
   *
   * @returns whether the file has changed
   * @throws SdaError as `open`
   */
  refresh(): Promise<boolean> {
    return this.#presets.refresh();
  }

  /**
   * Adds a preset.
   *
   * @throws SdaError ERR_SDA_ARGUMENT (`details.option`), ERR_SDA_VERSION (the file is newer than
   *   supported), ERR_SDA_LOCKED, ERR_SDA_LIMIT, ERR_SDA_IO; `signal.reason`
   */
  async save(preset: NewPreset, options: LockOptions = {}): Promise<Preset> {
    checkOptions("options", options, LOCK_OPTIONS);
    const {
      name,
      sliderPositions,
      seed = null,
      folder = "",
      description = "",
    } = checkNewPreset(preset);
    const now = pythonIsoDate(new Date());
    const made: Preset = {
      presetId: randomUUID(),
      name,
      folder,
      sliderPositions,
      nComponents: sliderPositions.length,
      seed,
      created: now,
      modified: now,
      description,
    };
    const record = writeRecord(PRESET_FIELDS, made);
    await this.#presets.change((draft) => draft.setRecord(made.presetId, record), options, true);
    return copy(made);
  }

  /**
   * Changes a preset. Absent fields stay as they are: unlike in the Python program, a change
   * without a seed keeps the seed.
   *
   * @returns the changed preset
   * @throws SdaError ERR_SDA_NOT_FOUND: there is no such preset; as `save`
   */
  async update(
    presetId: string,
    changes: PresetChanges,
    options: LockOptions = {},
  ): Promise<Preset> {
    checkId(presetId);
    checkOptions("options", options, LOCK_OPTIONS);
    const checked: Partial<Preset> = checkPresetChanges(changes);
    const { sliderPositions } = checked;
    if (sliderPositions) checked.nComponents = sliderPositions.length;
    const modified = pythonIsoDate(new Date());
    return this.#presets.change(
      (draft) => {
        const old = this.#presets.require(presetId, draft.document, "preset");
        if (Object.keys(checked).length === 0) return copy(old);
        change(draft, presetId, { ...checked, modified });
        return copy({ ...old, ...checked, modified });
      },
      options,
      false,
    );
  }

  /**
   * Deletes a preset.
   *
   * @returns false: there is no such preset
   * @throws SdaError as `save`
   */
  async delete(presetId: string, options: LockOptions = {}): Promise<boolean> {
    checkId(presetId);
    checkOptions("options", options, LOCK_OPTIONS);
    return this.#presets.change((draft) => this.#presets.remove(presetId, draft), options, false);
  }

  /**
   * Creates a folder.
   *
   * @throws SdaError ERR_SDA_ARGUMENT: the name is blank, or has been created already; as `save`
   */
  async createFolder(name: string, options: LockOptions = {}): Promise<void> {
    checkFolderName("name", name);
    checkOptions("options", options, LOCK_OPTIONS);
    const created = pythonIsoDate(new Date());
    await this.#presets.change(
      (draft) => {
        const folders = draft.document.list("folders");
        if (folders.some((folder) => nameOf(folder) === name)) {
          throw badArgument("name", "a name that no folder has", name);
        }
        const made: PyDict = new Map([
          ["name", name],
          ["created", created],
        ]);
        draft.set("folders", [...folders, made]);
      },
      options,
      true,
    );
  }

  /**
   * Renames a folder, also in the presets of the folder. Their `modified` stays.
   *
   * @throws SdaError ERR_SDA_NOT_FOUND: there is no such folder; ERR_SDA_ARGUMENT: the new name is
   *   blank, or another folder has it; as `save`
   */
  async renameFolder(from: string, to: string, options: LockOptions = {}): Promise<void> {
    if (typeof from !== "string") throw badArgument("from", "a string", from);
    checkFolderName("to", to);
    checkOptions("options", options, LOCK_OPTIONS);
    await this.#presets.change(
      (draft) => {
        const known = this.#foldersIn(draft);
        if (!known.includes(from)) throw this.#noFolder(from);
        if (from === to) return;
        if (known.includes(to)) throw badArgument("to", "a name that no folder has", to);
        const folders = draft.document.list("folders");
        if (folders.some((folder) => nameOf(folder) === from)) {
          draft.set(
            "folders",
            folders.map((folder) => renamed(folder, from, to)),
          );
        }
        this.#move(draft, from, to);
      },
      options,
      false,
    );
  }

  /**
   * Deletes a folder. Its presets stay, without a folder or in the folder `moveTo`, which need not
   * have been created.
   *
   * @returns false: there is no such folder
   * @throws SdaError as `save`
   */
  async deleteFolder(name: string, options: DeleteFolderOptions = {}): Promise<boolean> {
    if (typeof name !== "string") throw badArgument("name", "a string", name);
    checkOptions("options", options, ["moveTo", ...LOCK_OPTIONS]);
    const { moveTo = "", ...others } = options;
    if (moveTo !== "") checkFolderName("moveTo", moveTo);
    if (moveTo === name) throw badArgument("moveTo", "another folder", moveTo);
    return this.#presets.change(
      (draft) => {
        if (!this.#foldersIn(draft).includes(name)) return false;
        const folders = draft.document.list("folders");
        const left = folders.filter((folder) => nameOf(folder) !== name);
        if (left.length < folders.length) draft.set("folders", left);
        this.#move(draft, name, moveTo);
        return true;
      },
      others,
      false,
    );
  }

  #foldersIn({ document }: Draft): string[] {
    return foldersOf(document, this.#presetsIn(document));
  }

  #presetsIn(document: Document): Preset[] {
    return [...document.records.keys()].flatMap((id) => this.#presets.get(id, document) ?? []);
  }

  #move(draft: Draft, from: string, to: string): void {
    for (const { presetId, folder } of this.#presetsIn(draft.document)) {
      if (folder === from) change(draft, presetId, { folder: to });
    }
  }

  #noFolder(name: string): SdaError {
    const path = this.#presets.place.index;
    const problem = `${path} has no folder ${JSON.stringify(name)}`;
    return new SdaError("ERR_SDA_NOT_FOUND", problem, { path, folder: name });
  }
}

function kindOf(modelId: string): DocumentKind {
  return {
    version: 1,
    records: "presets",
    lists: ["folders"],
    empty: () =>
      new Map<string, PyValue>([
        ["version", 1n],
        ["model_id", modelId],
        ["folders", []],
        ["presets", new Map()],
      ]),
  };
}

/** Whether an id names a folder directly inside the presets' folder. */
function isFolderOfModel(modelId: unknown): boolean {
  if (typeof modelId !== "string" || modelId === "." || /[\\/]/.test(modelId)) return false;
  return isInsideByName(modelId);
}

/** The name of an item of "folders"; undefined: the item is of another program. */
function nameOf(folder: PyValue): string | undefined {
  const name = isMap(folder) ? folder.get("name") : undefined;
  return typeof name === "string" ? name : undefined;
}

function renamed(folder: PyValue, from: string, to: string): PyValue {
  return isMap(folder) && nameOf(folder) === from ? new Map(folder).set("name", to) : folder;
}

function foldersOf(document: Document, presets: readonly Preset[]): string[] {
  const names = new Set<string>();
  for (const folder of document.list("folders")) names.add(nameOf(folder) ?? "");
  for (const { folder } of presets) names.add(folder);
  names.delete("");
  return [...names];
}

/** Changes fields of a readable preset. Unknown fields keep their places. */
function change(draft: Draft, presetId: string, changes: Partial<Preset>): void {
  const old = draft.document.records.get(presetId) as PyDict;
  draft.setRecord(presetId, writeRecord(PRESET_FIELDS, changes, old));
}

/** The caller may change its copy. */
function copy(preset: Preset): Preset {
  return { ...preset, sliderPositions: [...preset.sliderPositions] };
}
