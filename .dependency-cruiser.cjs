/**
 * The order of the folders of lib/: a file may import from its own folder and from folders before
 * its own, type imports included. CONTRIBUTING.md says what each folder holds.
 */
const ORDER = [
  "lib/base",
  "lib/values",
  "lib/native",
  "lib/torch",
  "lib/latent",
  "lib/audio",
  "lib/format",
  "lib/model",
  "lib/library/index",
  "lib/library/documents",
  "lib/library/presets",
  "lib/library/history",
  "lib/library/search",
  "lib/library/writes",
  "lib/library",
  "lib/bench",
  "lib/cli",
  "lib/torch-cli",
];

/** Neither of a pair may import the other: the library works without the engine. */
const APART = [
  ["lib/model", "lib/library"],
  ["lib/audio", "lib/format"],
  ["lib/torch", "lib/latent"],
];

const inside = (folder) => (folder === "lib/library" ? "^lib/library/[^/]+\\.ts$" : `^${folder}/`);

const layers = ORDER.slice(0, -1).map((folder, i) => ({
  name: `${folder}-imports-downwards`,
  comment: `${folder} may import only: ${ORDER.slice(0, i + 1).join(", ")}`,
  severity: "error",
  from: { path: inside(folder) },
  to: { path: [...ORDER.slice(i + 1).map(inside), "^lib/index\\.ts$"] },
}));

const apart = APART.flatMap(([a, b]) => [
  { from: a, to: b },
  { from: b, to: a },
]).map(({ from, to }) => ({
  name: `${from}-knows-nothing-of-${to}`,
  severity: "error",
  from: { path: `^${from}/` },
  to: { path: `^${to}/` },
}));

module.exports = {
  forbidden: [
    ...layers,
    ...apart,
    {
      name: "no-circle",
      comment: "Files that import each other can't be read one after the other.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "every-file-has-a-layer",
      comment: "A new folder of lib/ gets a place in ORDER.",
      severity: "error",
      from: { path: "^lib/", pathNot: [...ORDER.map(inside), "^lib/index\\.ts$"] },
      to: {},
    },
    {
      name: "server-uses-the-package",
      comment: "The server imports small-dataset-audio, as any application does.",
      severity: "error",
      from: { path: "^server/src/" },
      to: { path: "^lib/" },
    },
    {
      name: "declared-dependencies",
      comment: "What is imported at run time stands in the package's dependencies.",
      severity: "error",
      from: { path: "^(lib|server/src)/" },
      to: {
        dependencyTypes: ["npm-no-pkg", "npm-unknown", "unknown", "npm-dev"],
        dependencyTypesNot: ["type-only"],
      },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    tsConfig: { fileName: "tsconfig.check.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "types", "node", "default"],
    },
  },
};
