import type { OptionsModel } from "../audio/options.js";
import type { Generation } from "../format/generations.js";
import type { AnalysisResult } from "../latent/analysis.js";

/** What generation options mean for a model of this generation. */
export function optionsModel(
  { network, program, defaults }: Generation,
  model: { latentDim: number; analysis: AnalysisResult | null },
): OptionsModel {
  return { ...model, synthesis: program.synthesis, isComplex: network === "complex", defaults };
}
