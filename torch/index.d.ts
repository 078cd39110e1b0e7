export * from "../dist/torch/index.js";
