// node check-folder.mjs FOLDER: tells which files would run code in Python.
// Exits with 1 if there is such a file or one that cannot be read.
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { assess, inspect } from "small-dataset-audio/torch";

/** Recognised by its suffix, or by the first bytes of a zip archive or of a pickle. */
async function isCandidate(path) {
  if (/\.(pt|pth|ckpt|bin|sda|pkl|pickle)$/i.test(path)) return true;
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.toString("latin1") === "PK\x03\x04" || (buffer[0] === 0x80 && buffer[1] <= 5);
  } finally {
    await file.close();
  }
}

const [folder = "."] = process.argv.slice(2);
const entries = await readdir(folder, { recursive: true, withFileTypes: true });
const paths = entries
  .filter((entry) => entry.isFile() || entry.isSymbolicLink())
  .map((entry) => join(entry.parentPath, entry.name));
for (const path of paths.sort()) {
  try {
    if (!(await isCandidate(path))) continue;
    const { verdict, refused, known, project } = assess(await inspect(path));
    const named = verdict === "safe" ? [...known, ...project] : refused;
    console.log(`${verdict}\t${path}\t${named.join(" ")}`);
    if (verdict === "refused") process.exitCode = 1;
  } catch (error) {
    console.log(`unread\t${path}\t${error.code}: ${error.message}`);
    process.exitCode = 1;
  }
}
