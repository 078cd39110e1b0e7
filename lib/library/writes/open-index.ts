import { toFilePath } from "../../base/check.js";
import { makeFolder } from "../../base/make-folder.js";
import { ModelsFolder } from "../index/folder.js";
import { IndexStore } from "../index/store.js";
import { WriteQueue } from "../index/write-queue.js";
import { hasLeftovers, settleLeftovers } from "./leftovers.js";

/**
 * Gives the open index that a write goes to. A function, because a write checks its arguments and
 * its source file before it opens, or makes, a models folder.
 */
export type Target = () => Promise<WriteQueue>;

/**
 * Reads the index of a folder, and finishes or undoes what an interrupted write left there.
 *
 * @throws SdaError ERR_SDA_NOT_FOUND: no such folder; ERR_SDA_VERSION: an index newer than supported;
 *   ERR_SDA_IO
 */
export async function openIndex(modelsDir: string | URL): Promise<WriteQueue> {
  const folder = await ModelsFolder.at(modelsDir);
  const store = new IndexStore(folder);
  const [leftovers] = await Promise.all([hasLeftovers(folder), store.refresh()]);
  if (leftovers) await settleLeftovers(store);
  return new WriteQueue(store);
}

/** The index of a folder that is made when it is missing. The path is checked at once. */
export function newOrOpenIndex(modelsDir: string | URL): Target {
  const path = toFilePath(modelsDir);
  return async () => {
    await makeFolder(path);
    return openIndex(path);
  };
}
