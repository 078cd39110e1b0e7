/**
 * Measures a model's HiFi-GAN: the sound of mels of a second and of a minute. Compares with
 * PyTorch, if found, in alternating rounds, and with the processor's multiply-adds.
 */
import { configureEngine, loadModel } from "../dist/index.js";
import { Tensor } from "../dist/torch/index.js";
import { judged } from "./support/goals.js";
import { type MultiplyAdds, multiplyAdds } from "./support/multiply-adds.js";
import { Peer } from "./support/python.js";
import { Rounds } from "./support/rounds.js";
import type { Measured } from "./support/schema.js";
import { ratioOf, summarize } from "./support/statistics.js";
import type { Context, Suite } from "./support/suite.js";

const FULL = { longS: 60, long: 5, peak: 20, short: { rounds: 15, runs: 3, warmUp: 200 } };
/** Python needs many seconds for a minute of sound on a busy machine. */
const QUICK = { longS: 3, long: 1, peak: 0, short: { rounds: 2, runs: 1, warmUp: 0 } };
const ONE = { rounds: 1, runs: 1, warmUp: 0 };

async function run({ file, python, notes, quick, say }: Context): Promise<Measured> {
  const { longS, long, peak, short } = quick ? QUICK : FULL;
  const model = await loadModel(file, { device: "cpu" });
  const { vocoder, spectrogram } = model;
  if (vocoder === null) {
    model.dispose();
    return { rows: [], ratios: [], peers: {}, notes: [`${file} has no vocoder`] };
  }
  const { nMels, sampleRate, hopLength } = spectrogram.config;
  const work = (seconds: number) => {
    const frames = Math.floor((seconds * sampleRate) / hopLength) + 1;
    const mel = new Tensor(
      "float32",
      [1, 1, nMels, frames],
      new Float32Array(nMels * frames).fill(0.5),
    );
    return () => spectrogram.melToWaveform(mel);
  };
  const rounds = new Rounds();
  const peer = python === null ? null : new Peer(python, "vocoder_peer.py", [file]);
  let peers = {};
  const longName = `${longS} s`;
  try {
    if (peer !== null) peers = (await peer.about()).versions;
    say("one second");
    const second = { "1 s": work(1) };
    await rounds.run(second, peer, ["1 s"], ONE, false);
    await rounds.run(second, peer, ["1 s"], short);
    say(longName);
    await rounds.run({ [longName]: work(longS) }, peer, [longName], { ...ONE, rounds: long });
  } finally {
    peer?.close();
  }
  const { threads } = configureEngine();
  await model.disposeAsync();
  say("the processor's multiply-adds");
  // Builds its program first.
  const alone = quick ? "left out of a quick run" : multiplyAdds(peak);
  const than = typeof alone === "string" ? null : alone;
  return {
    rows: [
      ...rounds.rows(),
      ...(than
        ? [
            { name: "engine: 1 s", unit: "ms" as const, ...summarize(than.vocoder.flat()) },
            {
              name: "engine: multiply-adds of 1 s",
              unit: "ms" as const,
              ...summarize(than.alone.flat()),
            },
          ]
        : []),
    ],
    ratios: [
      ...rounds.besidePeer("1 s", "1 s", { atLeast: 1.5 }),
      ...rounds.besidePeer(longName, longName, { atLeast: 2 }),
      ...(than ? [besidePeak(than)] : []),
    ],
    notes: [...notes, ...(typeof alone === "string" ? [`multiply-adds: ${alone}`] : [])],
    peers,
    details: { threads },
  };
}

/**
 * Judged by the fastest runs: another program on the same core slows the kernels, which load and
 * store as well, but not the multiply-adds alone, so the ratio of other runs is not the kernels'.
 */
function besidePeak({ vocoder, alone }: MultiplyAdds) {
  const { median, fastest } = ratioOf(vocoder, alone);
  return {
    what: "the vocoder on one thread, than its multiply-adds alone",
    ours: "engine: 1 s",
    theirs: "engine: multiply-adds of 1 s",
    ratio: median,
    fastest,
    ...judged(fastest, { atMost: 1.4 }),
  };
}

export const suite: Suite = { title: "Sound by HiFi-GAN", usesModel: true, run };
