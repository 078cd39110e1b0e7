import type { FastifyReply } from "fastify";
import type { ModelDescription } from "small-dataset-audio";
import type { ModelFile } from "../model-facts.js";
import { plainJson } from "../plain-json.js";

/** Sends a model: its entry and facts from its file, without the sliders. */
export function sendModel(
  reply: FastifyReply,
  { entry }: ModelFile,
  about: ModelDescription,
): FastifyReply {
  const { spectrogramConfig, latentDim, hasEncoder, parameters, bytes, analysis } = about;
  return reply.type("application/json; charset=utf-8").send(
    JSON.stringify({
      ...entry,
      vocoder: about.vocoder,
      generation: about.generation,
      sampleRate: spectrogramConfig.sampleRate,
      latentDim,
      hasEncoder,
      parameters,
      tensors: about.tensors.length,
      bytes,
      spectrogramConfig,
      trainingConfig: plainJson(about.trainingConfig),
      componentLabels: analysis?.componentLabels ?? [],
    }),
  );
}
