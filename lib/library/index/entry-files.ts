/** The files that an index has entries for. */

import { normalize } from "node:path";
import { type PyDict, parsePythonJson } from "../../base/python-json.js";
import { isMap } from "../../base/realm.js";
import { ENTRY_NAMES } from "./entry.js";
import type { IndexImage } from "./index-image.js";

/** The normalized paths of all entries, unreadable entries included. */
export function entryFiles(image: IndexImage): Set<string> {
  const files = new Set<string>();
  for (const slot of image.models()) files.add(normalize(image.value(slot, "filePath")));
  for (const { text } of image.unknown()) {
    // `"id": {…}` in braces is an object of one member.
    const [value] = (parsePythonJson(`{${text}}`) as PyDict).values();
    const filePath = isMap(value) ? value.get(ENTRY_NAMES.filePath) : undefined;
    if (typeof filePath === "string") files.add(normalize(filePath));
  }
  return files;
}
