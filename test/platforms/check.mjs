/**
 * Tries the package on one platform, without a test framework: it runs under emulators, where such
 * a framework takes minutes.
 *
 *   node check.mjs DIST REPORT [WRITER]
 *
 * DIST is the library as built; the environment names its addons. Writes to the file REPORT, since
 * some emulators have no pipes: { node, platform, checks: [{ name, ms, problem? }] }. With a
 * folder WRITER, it only adds entries to the library in it.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const [dist, report, writer] = process.argv.slice(2).map((path) => resolve(path));
const here = fileURLToPath(import.meta.url);
const root = join(dirname(here), "../..");
const fixtures = join(root, "test/fixtures");
const bundled = join(root, "assets/models/synthetic-plucks.sda");
const checkpoint = join(fixtures, "checkpoints/tiny.pt");
const work = `${report}.work`;

const sda = await import(pathToFileURL(join(dist, "index.js")).href);
const torch = await import(pathToFileURL(join(dist, "torch/index.js")).href);

/** The hashes of results, which change when the sound changes. */
const BITS = join(dirname(here), "bits.json");

const WRITERS = 2;
const ENTRIES = 8; // of each writer

if (writer !== undefined) {
  const library = await sda.ModelLibrary.open(writer);
  for (let i = 0; i < ENTRIES; i++)
    await library.import(checkpoint, { metadata: { name: `m${i}` } });
  process.exit();
}

mkdirSync(work, { recursive: true });
const checks = [];
const hashes = {};

async function check(name, f) {
  const begin = performance.now();
  try {
    await f();
    checks.push({ name, ms: Math.round(performance.now() - begin) });
  } catch (error) {
    checks.push({ name, problem: `${error.code ?? ""} ${error.message ?? error}`.trim() });
  }
}

function must(holds, what) {
  if (!holds) throw new Error(what);
}

const golden = JSON.parse(readFileSync(join(fixtures, "golden/synthetic-plucks.json"), "utf8"));

function floats({ file }) {
  const bytes = readFileSync(join(fixtures, file));
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

function tensor(stored) {
  return new sda.Tensor("float32", stored.shape, floats(stored));
}

function sha256(data) {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}

/** The largest difference, relative to the largest expected value. */
function difference(actual, expected) {
  must(actual.length === expected.length, `${actual.length} values, not ${expected.length}`);
  let worst = 0;
  let largest = 0;
  expected.forEach((value, i) => {
    const off = Math.abs(actual[i] - value);
    if (!(off <= worst)) worst = off;
    largest = Math.max(largest, Math.abs(value));
  });
  return worst / largest;
}

function correlation(actual, expected) {
  must(actual.length === expected.length, `${actual.length} samples, not ${expected.length}`);
  let [aa, bb, ab] = [0, 0, 0];
  expected.forEach((b, i) => {
    aa += actual[i] * actual[i];
    bb += b * b;
    ab += actual[i] * b;
  });
  return ab / Math.sqrt(aa * bb);
}

function sameSound(actual, expected) {
  const found = correlation(actual, expected);
  must(found >= 0.9999, `correlation ${found}`);
}

await check("list a file's tensors", async () => {
  const { tensors } = await torch.inspect(bundled);
  const described = Object.entries(golden.state_dict);
  must(described.length > 40, "the golden file describes no tensors");
  for (const [name, { shape }] of described) {
    const found = tensors.find((one) => one.name === `model_state_dict.${name}`);
    must(String(found?.shape) === String(shape), `${name} has shape ${found?.shape}`);
  }
});

await check("verify undamaged and damaged files", async () => {
  must((await sda.verifyFile(bundled)).ok, "the bundled model is called damaged");
  const damaged = join(work, "damaged.sda");
  const bytes = readFileSync(bundled);
  bytes[bytes.length >> 1] ^= 1;
  writeFileSync(damaged, bytes);
  must(!(await sda.verifyFile(damaged)).ok, "a flipped bit was not found");
});

await check("a file that runs code is refused", async () => {
  const bytes = Buffer.from("\x80\x02cos\nsystem\nX\x02\0\0\0idR.", "latin1");
  const evil = join(work, "evil.pt");
  writeFileSync(evil, bytes);
  const error = await torch.load(evil).then(
    () => undefined,
    (reason) => reason,
  );
  must(error?.code === "ERR_SDA_UNSAFE" || error?.code === "ERR_SDA_FORMAT", `${error?.code}`);
});

await check("load, save and load again", async () => {
  const [first, second] = ["a", "b"].map((folder) => join(work, folder, "é.pt"));
  for (const file of [first, second]) mkdirSync(dirname(file));
  const value = await torch.load(join(fixtures, "torch/dtypes.pt"));
  await torch.save(value, first);
  await torch.save(await torch.load(first), second);
  must(readFileSync(first).equals(readFileSync(second)), "the second file differs");
  await torch.save(value, first); // replaces it
  must(readFileSync(first).equals(readFileSync(second)), "the replaced file differs");
});

await check("a library: import, list, update, delete", async () => {
  const folder = join(work, "library");
  mkdirSync(folder);
  const library = await sda.ModelLibrary.open(folder);
  const { modelId } = await library.import(checkpoint, { metadata: { name: "Plücks" } });
  await library.update(modelId, { tags: ["a"] });
  const [entry] = (await sda.ModelLibrary.open(folder)).listAll();
  must(entry?.name === "Plücks" && entry.tags[0] === "a", JSON.stringify(entry));
  await library.delete(modelId);
  must((await sda.ModelLibrary.open(folder)).listAll().length === 0, "it is still listed");
  const left = readdirSync(folder).filter((name) => /\.sda$|tmp/.test(name));
  must(left.length === 0, `left behind: ${left}`);
});

await check("concurrent writers lose nothing", async () => {
  const folder = join(work, "shared");
  mkdirSync(folder);
  const run = () =>
    new Promise((done) => {
      // An emulated program starts others without the emulator, so SDA_COMMAND names it.
      const [program, ...args] = JSON.parse(process.env.SDA_COMMAND ?? "null") ?? [
        process.execPath,
      ];
      spawn(program, [...args, here, dist, report, folder], { stdio: "ignore" }).on("exit", done);
    });
  const codes = await Promise.all(Array.from({ length: WRITERS }, run));
  must(
    codes.every((code) => code === 0),
    `exit codes ${codes}`,
  );
  const { length } = (await sda.ModelLibrary.open(folder)).listAll();
  must(length === WRITERS * ENTRIES, `${length} entries of ${WRITERS * ENTRIES}`);
});

await check("the network's golden values", async () => {
  const model = await sda.loadModel(bundled, { device: "cpu" });
  const mel = await model.model.decode(tensor(golden.decode.z));
  must(difference(mel.data, floats(golden.decode.mel)) < 1e-4, "decode");
  const { mu, logvar } = await model.model.encode(tensor(golden.encode.mel));
  must(difference(mu.data, floats(golden.encode.mu)) < 1e-3, "encode: mu");
  must(difference(logvar.data, floats(golden.encode.logvar)) < 1e-3, "encode: logvar");
  hashes.decode = sha256(mel.data);
  hashes.encode = sha256(mu.data);
  model.dispose();
});

await check("the spectrum's golden values", async () => {
  const { spectrogram, ...model } = await sda.loadModel(bundled, { device: "cpu" });
  const { waveform, mel } = golden.encode;
  const heard = await spectrogram.waveformToMel(tensor(waveform));
  must(difference(heard.data, floats(mel)) < 1e-4, "waveformToMel");
  const made = golden.mel_to_waveform;
  const wave = await spectrogram.melToWaveform(tensor(made.mel), {
    seed: made.torch_manual_seed,
  });
  sameSound(wave.data, floats(made.waveform));
  hashes.waveformToMel = sha256(heard.data);
  hashes.melToWaveform = sha256(wave.data);
  model.dispose?.();
});

await check("the sound of a seed", async () => {
  const model = await sda.loadModel(bundled, { device: "cpu" });
  const [{ config, audio }] = golden.generate;
  const options = { durationS: config.duration_s, seed: config.seed };
  const sound = await model.generate(options);
  sameSound(sound.audio[0], floats(audio));
  const pieces = [];
  for await (const piece of model.stream({ ...options, loudness: "none" })) pieces.push(piece);
  must(pieces.length > 0, "the stream is empty");
  const file = join(work, "sound.wav");
  await sda.writeWav(file, sound);
  must(readFileSync(file).toString("latin1", 0, 4) === "RIFF", "no WAV file");
  hashes.generate = sha256(sound.audio[0]);
  model.dispose();
});

await check("the results have the bits that they have everywhere", () => {
  for (const [name, hash] of Object.entries(JSON.parse(readFileSync(BITS, "utf8"))))
    must(hashes[name] === hash, `${name} has the hash ${hashes[name]}, not ${hash}`);
});

const { arch, platform, version: node } = process;
writeFileSync(report, JSON.stringify({ node, platform: `${platform}-${arch}`, checks }));
process.exit(checks.some(({ problem }) => problem) ? 1 : 0);
