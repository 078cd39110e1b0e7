// tsx scripts/release-notes.ts TAG: checks that TAG (v1.2.3), the manifests and the changelog
// agree, and prints the changelog's section of that version, which is the text of the release.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import semver from "semver";
import { packageRoot } from "../lib/native/package-root.js";
import { releaseNotes } from "./lib/changelog.js";
import { BuildError, mainProgram } from "./lib/process.js";

const read = (path: string) => readFileSync(join(packageRoot, path), "utf8");

await mainProgram(() => {
  const tag = process.argv[2];
  const { name, version } = JSON.parse(read("package.json"));
  const server = JSON.parse(read("server/package.json"));
  if (tag !== `v${version}`)
    throw new BuildError(`the tag must be v${version}, package.json's version; it is ${tag}`);
  for (const folder of ["server", "torch"]) {
    const found = JSON.parse(read(`${folder}/package.json`)).version;
    if (found !== version)
      throw new BuildError(`${folder}/package.json must have version ${version}, not ${found}`);
  }
  const peer = server.peerDependencies[name];
  if (!semver.satisfies(version, peer, { includePrerelease: true }))
    throw new BuildError(`server/package.json asks for ${name} ${peer}, which ${version} is not`);
  console.log(releaseNotes(read("CHANGELOG.md"), version));
});
