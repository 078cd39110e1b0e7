/** Opens the history, and finds the sound that a person names. */
import { SdaError } from "../base/errors.js";
import type { History } from "../library/history/history.js";
import type { HistoryEntry } from "../library/history/history-entry.js";
import type { LockKind } from "../library/index/lock-kind.js";
import type { FolderSettings } from "./options.js";
import { findByName } from "./refs.js";
import { plural } from "./text.js";

export interface HistorySettings extends FolderSettings {
  lock?: LockKind;
}

/** @throws SdaError as `dataFolders` and `History.open` */
export async function openHistory(settings: HistorySettings): Promise<History> {
  const [{ History }, { dataFolders }] = await Promise.all([
    import("../library/history/history.js"),
    import("../library/data-folders.js"),
  ]);
  const { history } = await dataFolders(settings.dataDir);
  return History.open(history, { lock: settings.lock ?? "flock" });
}

/** @throws SdaError ERR_SDA_NOT_FOUND; ERR_SDA_ARGUMENT: several sounds match */
export function findSound(ref: string, history: History): HistoryEntry {
  const all = history.list();
  const found = findByName(ref, all, ({ entryId }) => ({ id: entryId, name: "" }), "sounds");
  if (found) return found;
  const has = `${history.path} has ${plural(all.length, "sound")}`;
  const problem = `no sound has the id ${JSON.stringify(ref)}; ${has}, sda history list shows them`;
  throw new SdaError("ERR_SDA_NOT_FOUND", problem, { ref });
}
