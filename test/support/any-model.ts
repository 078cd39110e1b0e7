import type { OptionsModel } from "../../lib/audio/options.js";

/** A model of version 1.0 without sliders, of which only the options are checked. */
export const ANY_MODEL: OptionsModel = {
  latentDim: 0,
  analysis: null,
  synthesis: "chunks",
  isComplex: false,
  defaults: { sampleRate: 48000, width: 0.5, depth: 0.3 },
};
