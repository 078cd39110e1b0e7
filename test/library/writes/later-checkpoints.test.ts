/** Training checkpoints of later versions, made by scripts/python. */
import { basename } from "node:path";
import { expect, it } from "vitest";
import {
  describeModel,
  loadModel,
  readMetadata,
  saveModelFromCheckpoint,
} from "../../../lib/index.js";
import { load, type Tensor } from "../../../lib/torch/index.js";
import { fixture } from "../../support/fixtures.js";
import { temporaryFolder } from "../../support/folder.js";
import { engineBuilt } from "../../support/native.js";

type Dict = Map<string, unknown>;

const weightsOf = (content: unknown) =>
  [...((content as Dict).get("model_state_dict") as Map<string, Tensor>)].map(
    ([name, { dtype, shape, data }]) => [name, dtype, shape, data] as const,
  );

it.each([
  ["tiny-v1.1.pt", "from_training.distillgan", "distillgan"],
  ["tiny-vq.pt", "from_training.distill", "distill-vq"],
])("%s becomes a model file with the same weights", async (name, file, generation) => {
  const checkpoint = fixture(`checkpoints/${name}`);
  const path = await saveModelFromCheckpoint(checkpoint, temporaryFolder(), {
    metadata: { name: "From training" },
  });
  expect(basename(path)).toBe(file);
  const metadata = await readMetadata(path);
  expect([metadata.generation, metadata.trainingEpochs]).toEqual([generation, 2]);
  expect(weightsOf(await load(path))).toEqual(weightsOf(await load(checkpoint)));
  // latent_dim stands only in the training settings of a checkpoint.
  expect((await describeModel(path)).latentDim).toBe(name === "tiny-vq.pt" ? 0 : 4);
  if (!engineBuilt) return;
  const model = await loadModel(path, { device: "cpu" });
  expect(model.generation).toBe(generation);
  model.dispose();
});
