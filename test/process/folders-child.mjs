// node folders-child.mjs COMPILED-LIB DATA-FOLDER NAME COUNT
// Adds COUNT presets and sounds, and deletes every third one. Prints each change before it begins
// and again after it was acknowledged: what is written to a pipe survives the writer.
import { writeSync } from "node:fs";
import { join } from "node:path";

const [compiled, folder, name, count] = process.argv.slice(2);
const { PresetStore } = await import(`${compiled}/library/presets/preset-store.js`);
const { History } = await import(`${compiled}/library/history/history.js`);
const say = (...words) => writeSync(1, `${words.join(" ")}\n`);

const sound = {
  audio: [new Float32Array(100)],
  sampleRate: 44100,
  channels: 1,
  durationS: 100 / 44100,
  seed: 1,
  quality: {
    snrDb: Number.POSITIVE_INFINITY,
    clipping: {
      clippedSamples: 0,
      clippedPercentage: 0,
      peakValue: 0,
      maxConsecutiveClipped: 0,
      hasClipping: false,
    },
    rating: "green",
    ratingReason: "",
  },
};
const model = { metadata: { modelId: "model", name: "Model", nActiveComponents: 0 } };

say("ready");
const presets = await PresetStore.open(join(folder, "presets"), "model");
const history = await History.open(join(folder, "history"));
for (let i = 0; i < count; i++) {
  const label = `${name}-${i}`;
  say("adding", "preset", label);
  const { presetId } = await presets.save({ name: label, sliderPositions: [i], folder: name });
  say("added", "preset", label);
  say("adding", "sound", label);
  const { entryId } = await history.add(sound, { model, presetName: label });
  say("added", "sound", label);
  if (i % 3 !== 2) continue;
  say("removing", "preset", label);
  await presets.delete(presetId);
  say("removed", "preset", label);
  say("removing", "sound", label);
  await history.delete(entryId);
  say("removed", "sound", label);
}
say("end");
