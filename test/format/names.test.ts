import { describe, expect, it } from "vitest";
import { ANALYSIS_NAMES, METADATA_NAMES, SPECTROGRAM_NAMES } from "../../lib/format/names.js";
import { corpus, golden } from "../support/corpus.js";

describe.skipIf(corpus === null)("names and their order are the Python program's", () => {
  it.each([
    ["metadata", METADATA_NAMES],
    ["spectrogram_config", SPECTROGRAM_NAMES],
    ["analysis", ANALYSIS_NAMES],
  ])("%s", (part, names) => {
    expect(Object.values(names)).toEqual(Object.keys(golden("default")[part]));
  });

  it("are the same words in both languages", () => {
    for (const names of [METADATA_NAMES, SPECTROGRAM_NAMES, ANALYSIS_NAMES]) {
      for (const [camel, snake] of Object.entries(names)) {
        expect(snake.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase())).toBe(camel);
      }
    }
  });
});
