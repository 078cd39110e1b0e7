// In a checkout, the package is a part of the build of small-dataset-audio; scripts/lib/split.ts
// makes the published one.
export * from "../dist/torch/index.js";
