// npm warns of each package that does not name the running Node as one of its own.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import semver from "semver";
import { expect, test } from "vitest";
import { packageRoot } from "../../lib/native/package-root.js";

/** The oldest of each line of Node that the project is developed on. */
const NODES = ["20.19.0", "22.13.0", "24.0.0"];

interface Locked {
  version?: string;
  engines?: { node?: string };
}

const lock = JSON.parse(readFileSync(join(packageRoot, "package-lock.json"), "utf8"));
const locked = Object.entries(lock.packages as Record<string, Locked>);

/** Packages that npm would warn of, as "path@version (engines)". */
const refusing = (packages: [string, Locked][], node: string) =>
  packages
    .filter(([, { engines }]) => !semver.satisfies(node, engines?.node ?? "*"))
    .map(([path, { version, engines }]) => `${path}@${version} (${engines?.node})`);

test.each(NODES)("every locked package admits Node %s", (node) => {
  expect(locked.length).toBeGreaterThan(100);
  expect(refusing(locked, node)).toEqual([]);
});

test("a package that admits only newer Nodes is found", () => {
  const packages: [string, Locked][] = [
    ["node_modules/new", { version: "2.0.2", engines: { node: ">=22" } }],
    ["node_modules/any", { version: "1.0.0" }],
  ];
  expect(refusing(packages, "20.19.0")).toEqual(["node_modules/new@2.0.2 (>=22)"]);
  expect(refusing(packages, "22.13.0")).toEqual([]);
});
