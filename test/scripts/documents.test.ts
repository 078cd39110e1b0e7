import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { packageRoot } from "../../lib/native/package-root.js";
import {
  brokenLinks,
  copyDocuments,
  linksOf,
  publishedDocuments,
} from "../../scripts/lib/documents.js";
import { temporaryFolder } from "../support/folder.js";

function documentsIn(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return names.filter((name) => name.endsWith(".md")).map((name) => name.replaceAll("\\", "/"));
}

function folderWith(files: Record<string, string>): string {
  const folder = temporaryFolder();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

test("every relative link of every document in the repository leads somewhere", () => {
  const listed = ["ls-files", "--cached", "--others", "--exclude-standard", "*.md"];
  const { stdout } = spawnSync("git", listed, { cwd: packageRoot, encoding: "utf8" });
  const names = stdout
    .split("\n")
    .filter((name) => name !== "" && existsSync(join(packageRoot, name)));
  expect(names).toEqual(expect.arrayContaining(["README.md", "doc/serving.md"]));
  expect(names.flatMap((name) => linksOf(packageRoot, name)).length).toBeGreaterThan(20);
  expect(brokenLinks(packageRoot, names)).toEqual([]);
});

test("every relative link of the published README, and of what it links to, leads to a published file", () => {
  const folder = temporaryFolder();
  copyDocuments(packageRoot, folder);
  const names = documentsIn(folder);
  expect(names).toEqual(expect.arrayContaining(["README.md", "SECURITY.md", "doc/serving.md"]));
  expect(linksOf(folder, "README.md").length).toBeGreaterThan(10);
  expect(brokenLinks(folder, names)).toEqual([]);
});

test("the published documents are documents, examples and pictures, and small", () => {
  const names = publishedDocuments(packageRoot);
  const kinds = /\.(md|mjs|svg|png)$|^LICENSE$/;
  expect(names.filter((name) => !kinds.test(name))).toEqual([]);
  const bytes = names.map((name) => statSync(join(packageRoot, name)).size);
  expect(bytes.reduce((sum, size) => sum + size)).toBeLessThan(1_000_000);
});

test("the server package's README has no link that leads out of the package", () => {
  const folder = temporaryFolder();
  for (const name of ["server/README.md", "LICENSE"]) {
    cpSync(join(packageRoot, name), join(folder, name.replace("server/", "")));
  }
  expect(brokenLinks(folder, ["README.md"])).toEqual([]);
});

test("a link to a missing file, to a missing heading and out of the folder is broken", () => {
  const folder = folderWith({
    "README.md": [
      "[a](doc/a.md) [b](doc/a.md#a-heading-with-code) [c](#here) ![d](gone.png)",
      "[e](doc/a.md#gone) [f](../out.md) [g](https://example.org/gone) `[h](gone)`",
      "```md\n[i](gone.md)\n```",
      "## Here",
    ].join("\n"),
    "doc/a.md": "# A heading, with `code`\n[back](../README.md#here) [k](gone.md)",
  });
  const broken = brokenLinks(folder, ["README.md", "doc/a.md"]);
  expect(broken.map(({ to, heading }) => `${to}#${heading}`)).toEqual([
    "gone.png#",
    "doc/a.md#gone",
    "../out.md#",
    "doc/gone.md#",
  ]);
});

test("documents are published with all that they link to, and nothing else", () => {
  const folder = folderWith({
    "README.md": "[a](doc/a.md)",
    LICENSE: "",
    "CHANGELOG.md": "",
    "SECURITY.md": "",
    "doc/a.md": "![p](../pictures/p.svg) [x](../examples/x.mjs)",
    "doc/unlinked.md": "",
    "pictures/p.svg": "",
    "examples/x.mjs": "",
  });
  const published = [
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "doc/a.md",
    "examples/x.mjs",
    "pictures/p.svg",
  ];
  expect(publishedDocuments(folder)).toEqual(published);
  const copy = temporaryFolder();
  copyDocuments(folder, copy);
  expect(brokenLinks(copy, ["README.md", "doc/a.md"])).toEqual([]);
  rmSync(join(folder, "pictures/p.svg"));
  expect(() => copyDocuments(folder, temporaryFolder())).toThrow(/p\.svg/);
});
