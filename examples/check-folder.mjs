// node check-folder.mjs FOLDER: which files would run code in Python? Exits with 1 if any would.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { assess, inspect } from "small-dataset-audio/torch";

const [folder = "."] = process.argv.slice(2);
const files = await readdir(folder, { recursive: true });
for (const file of files.filter((name) => /\.(pt|pth|ckpt|bin|sda)$/i.test(name)).sort()) {
  try {
    const { verdict, refused, known, project } = assess(await inspect(join(folder, file)));
    const named = verdict === "safe" ? [...known, ...project] : refused;
    console.log(`${verdict}\t${file}\t${named.join(" ")}`);
    if (verdict === "refused") process.exitCode = 1;
  } catch (error) {
    console.log(`unread\t${file}\t${error.code}: ${error.message}`);
    process.exitCode = 1;
  }
}
