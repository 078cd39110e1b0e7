/** Markdown documents, their relative links, and the documents of a published package. */
import { cpSync, existsSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";

/** Published in any case, with everything that they link to. */
const START = ["README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md"];

/** A link, [text](file#heading) or an image, to a path relative to its document. */
export interface Link {
  /** The document, relative to its root */
  from: string;
  /** The linked file, relative to the root */
  to: string;
  /** The part after "#"; "" without one */
  heading: string;
}

/**
 * The relative links of a Markdown document, outside of its code.
 *
 * @param name path relative to `root`, with slashes
 */
export function linksOf(root: string, name: string): Link[] {
  return [...proseOf(root, name).matchAll(/\]\((?!\w+:|\/)([^)#\s]*)(?:#([^)\s]*))?\)/g)].map(
    ([, path = "", heading = ""]) => {
      const to = path === "" ? name : posix.join(posix.dirname(name), path);
      return { from: name, to, heading };
    },
  );
}

/** The links of the given documents that lead to no file or to no heading. */
export function brokenLinks(root: string, names: readonly string[]): Link[] {
  return names
    .flatMap((name) => linksOf(root, name))
    .filter(({ to, heading }) => {
      if (to.startsWith("../") || !existsSync(join(root, to))) return true;
      return heading !== "" && !headingsOf(root, to).has(heading);
    });
}

/** The START documents of the checkout at `root`, and all files that they link to, in any depth. */
export function publishedDocuments(root: string): string[] {
  const found = new Set<string>();
  const follow = (name: string) => {
    if (found.has(name)) return;
    found.add(name);
    if (name.endsWith(".md")) for (const { to } of linksOf(root, name)) follow(to);
  };
  for (const name of START) follow(name);
  return [...found].sort();
}

/** Copies the published documents of the checkout at `root` to the same places in `folder`. */
export function copyDocuments(root: string, folder: string): void {
  for (const name of publishedDocuments(root)) cpSync(join(root, name), join(folder, name));
}

/** The ids that GitHub and npm give to the headings of a document. */
function headingsOf(root: string, name: string): Set<string> {
  const headings = [...proseOf(root, name).matchAll(/^#+ +(.+)$/gm)];
  return new Set(
    headings.map(([, text = ""]) =>
      text
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, "")
        .trim()
        .replaceAll(" ", "-"),
    ),
  );
}

function proseOf(root: string, name: string): string {
  const text = readFileSync(join(root, name), "utf8");
  return text.replace(/^( *)(```+).*?^\1\2 *$/gms, "").replace(/`[^`\n]*`/g, "code");
}
