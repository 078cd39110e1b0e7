/** Folders in which the code of the documents runs as a user's program does. */
import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { temporaryFolder } from "../support/folder.js";
import { root } from "./tables.js";

/** @returns a new folder in which code finds the built package and the other packages */
export function workplace(...packages: string[]): string {
  const folder = temporaryFolder();
  link(root, join(folder, "node_modules/small-dataset-audio"));
  for (const name of packages) {
    link(join(root, "node_modules", name), join(folder, "node_modules", name));
  }
  return folder;
}

function link(target: string, path: string): void {
  if (!existsSync(target)) throw new Error(`${target} is missing`);
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path, "dir");
}

/** The blocks of JavaScript in a Markdown text. */
export function codeBlocks(text: string): string[] {
  return [...text.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code as string);
}
