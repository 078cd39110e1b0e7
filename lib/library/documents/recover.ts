import { fileIdentity } from "../../base/file-identity.js";
import { warn } from "../../base/warnings.js";
import type { IndexPlace } from "../index/place.js";
import { readUnlessDamaged, setAside, underLock } from "../index/set-aside.js";
import { replaceIndex } from "../index/write-index.js";
import { Document, type DocumentKind, type FoundDocument, readDocument } from "./document.js";

/**
 * Replaces a document that is damaged, or missing although there is a backup, by its backup. If the
 * backup is damaged too, the document begins anew. Damaged files are kept as
 * "<name>.damaged-<time>". A process warning reports the recovery.
 *
 * @param locked whether the caller holds the folder's lock
 */
export async function recoverDocument(
  kind: DocumentKind,
  place: IndexPlace,
  locked: boolean,
): Promise<FoundDocument> {
  return underLock(place, locked, (writable) => recover(kind, place, writable));
}

async function recover(
  kind: DocumentKind,
  place: IndexPlace,
  writable: boolean,
): Promise<FoundDocument> {
  const found = await readUnlessDamaged(() => readDocument(kind, place.index));
  // Another process has repaired the document, or has finished writing it in place.
  if ("document" in found) return found;
  // A folder with the backup's name is treated as a damaged backup, and so is one too long.
  const backup = await readUnlessDamaged(
    () => readDocument(kind, place.backup),
    ["ERR_SDA_FORMAT", "ERR_SDA_LIMIT"],
  );
  const isBackup = "document" in backup;
  const document = isBackup ? backup.document : new Document(kind);
  let written: FoundDocument;
  if (writable) {
    if (!isBackup) await setAside(place.backup);
    await setAside(place.index);
    const content = [Buffer.from(document.text())];
    written = { document, identity: await replaceIndex(place, content), content };
  } else {
    written = { document, identity: await fileIdentity(place.index), content: null };
  }
  const problem = found.problem ?? `${place.index} is missing`;
  const restored = isBackup
    ? "; it has been restored from its backup, which lacks the latest change"
    : `, and ${backup.problem ?? "there is no backup"}; it begins anew`;
  warn("SDA_FILE_RECOVERED", `${problem}${restored}`);
  return written;
}
