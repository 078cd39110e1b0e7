// Writes the seeds of the fuzz targets: fixtures, and files made by the builders of the hostile
// tests. Seeds are the same on every machine. Inputs found by fuzzing are kept in test/fuzz/corpus.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import { packageRoot } from "../lib/native/package-root.js";
import { bombs } from "../test/support/bombs.js";
import { everything } from "../test/support/everything.js";
import { legacy } from "../test/support/legacy-builder.js";
import {
  BUILD,
  binbytes,
  type Code,
  call,
  dict,
  EMPTY_DICT,
  ext4,
  FALSE,
  global,
  inst,
  int,
  join,
  list,
  MARK,
  NEWOBJ,
  NEWOBJ_EX,
  NONE,
  numpyArray,
  numpyDtype,
  OBJ,
  persid,
  pickle,
  stackGlobal,
  storage,
  str,
  THREE_FLOATS,
  TRUE,
  tensor,
  tuple,
} from "../test/support/pickle-builder.js";
import { torchZip, zip } from "../test/support/zip-builder.js";

export const TARGETS = ["zip", "pickle", "legacy", "file", "index"] as const;
export type Target = (typeof TARGETS)[number];
type Seeds = Record<string, Uint8Array>;

/** Larger seeds are not written, in bytes. */
const LARGEST = 16 << 10;
/**
 * Names of bombs that copy as much as the limits allow: a thousand times slower than other inputs.
 */
const SLOW = /MiB|transposed/;
/** Length of the legacy container's magic number, which the target puts before each input. */
const MAGIC_BYTES = 15;

const legacyStorage = (view: Code = NONE) => storage(3, { key: "7", extra: [view] });
const stored = [{ key: "7", count: 3, data: THREE_FLOATS }];
const ints = (...values: number[]) => tuple(...values.map(int));
const numpyFunction = (name: string, ...args: Code[]) =>
  call(global("numpy._core.multiarray", name), ...args);

/** Pickles by name. Their storages are those of test/fuzz/wrapped_pickle.h. */
function pickles(): Seeds {
  const twelve = storage(3, { key: "2" });
  const untyped = storage(12, { key: "2", cls: global("torch.storage", "UntypedStorage") });
  const named: Record<string, Code> = {
    nothing: NONE,
    // One element past the end, in each way: random mutation rarely hits exactly that.
    "too-far-by-offset": tensor({ storage: twelve, offset: int(1) }),
    "too-far-by-shape": tensor({ storage: twelve, shape: ints(4) }),
    "too-far-by-stride": tensor({ storage: twelve, shape: ints(2, 2), stride: ints(2, 1) }),
    "too-far-by-dtype": tensor({
      storage: untyped,
      shape: ints(2),
      rebuild: "_rebuild_tensor_v3",
      extra: [global("torch", "float64")],
    }),
    "too-large-an-array": numpyArray(numpyDtype("f4"), ints(4), binbytes(THREE_FLOATS)),
    "a-tensor": tensor({ storage: twelve }),
    "an-empty-tensor": tensor({ storage: storage(0), shape: ints(0) }),
    transposed: tensor({
      storage: storage(16, { key: "3" }),
      shape: ints(4, 4),
      stride: ints(1, 4),
    }),
    expanded: tensor({ storage: twelve, shape: ints(5, 3), stride: ints(0, 1) }),
    conjugated: tensor({
      storage: storage(8, { key: "3", cls: global("torch", "ComplexFloatStorage") }),
      extra: [dict([str("conj"), TRUE], [str("neg"), TRUE])],
    }),
    "tensor-v3": tensor({
      storage: untyped,
      rebuild: "_rebuild_tensor_v3",
      extra: [global("torch", "float32")],
    }),
    "a-parameter": call(
      global("torch._utils", "_rebuild_parameter"),
      tensor({ storage: twelve }),
      TRUE,
      call(global("collections", "OrderedDict")),
    ),
    "a-state-dict": dict(
      [str("epoch"), int(3)],
      [str("model"), dict([str("weight"), tensor({ storage: twelve })])],
    ),
    "a-cancelled-vocoder": dict(
      [str("format"), str("distillgan_model")],
      [
        str("training_config"),
        dict([
          str("preset"),
          call(global("distill.training.config", "OverfittingPreset"), str("balanced")),
        ]),
      ],
      [
        str("vocoder_state"),
        dict(
          [str("generator_state_dict"), dict([str("w"), tensor({ storage: twelve })])],
          // The same storage also belongs to the part that is left out.
          [str("checkpoint"), dict([str("w"), tensor({ storage: twelve })])],
        ),
      ],
    ),
    "a-model-of-codes": dict(
      [str("format"), str("distill_model")],
      [str("version"), int(2)],
      [str("model_type"), str("vqvae")],
      [str("prior_state_dict"), dict([str("w"), tensor({ storage: twelve })])],
      [str("prior_config"), dict([str("num_heads"), int(3)])],
    ),
    "an-array": numpyArray(numpyDtype("f4", ">"), ints(3), binbytes(THREE_FLOATS)),
    "a-fortran-array": numpyArray(
      numpyDtype("i2"),
      ints(2, 3),
      call(global("_codecs", "encode"), str("é\u0000abcdefghij"), str("latin1")),
      { fortran: TRUE },
    ),
    "a-scalar": numpyFunction("scalar", numpyDtype("c16"), binbytes(Buffer.alloc(16, 1))),
    "an-object-array": numpyArray(numpyDtype("O8", "|"), ints(1), list(NONE)),
    reduce: call(global("os", "system"), str("id")),
    "stack-global": call(stackGlobal("builtins", "eval"), str("1")),
    inst: join(MARK, str("id"), inst("os", "system")),
    obj: join(MARK, global("os", "system"), str("id"), OBJ),
    newobj: join(global("small_dataset_audio", "A"), tuple(), NEWOBJ, EMPTY_DICT, BUILD),
    "newobj-ex": join(
      global("small_dataset_audio.b", "B"),
      tuple(int(1)),
      dict([str("k"), FALSE]),
      NEWOBJ_EX,
      tuple(NONE, dict([str("slot"), int(1)])),
      BUILD,
    ),
    persid: persid("os"),
    ext: ext4(70_000),
  };
  return Object.fromEntries(
    [...Object.entries(named).map(([name, code]) => [name, pickle(code)])].concat([
      ["everything", everything(storage(3, { key: "2" }))],
    ]),
  );
}

function archives(): Seeds {
  const made: Seeds = {
    small: torchZip(pickle(tensor({ storage: storage(3) })), { "0": THREE_FLOATS }).bytes,
    "short-end": torchZip(pickle(NONE), {}, { zip64: false, align: 1 }).bytes,
    "filled-in": zip([{ name: "a/data.pkl", data: pickle(NONE), descriptor: null }], { align: 1 })
      .bytes,
    "with-a-comment": torchZip(pickle(NONE), {}, { end: { comment: Buffer.from("PK\x05\x06") } })
      .bytes,
    deflated: torchZip(
      pickle(NONE),
      {},
      { change: { "data.pkl": { local: { method: 8 } as never } } },
    ).bytes,
    "no-records": zip([]).bytes,
  };
  for (const name of ["no-crc.pt", "big-endian.pt", "stored-rezip.pt", "bare-tensor.pt"])
    made[name] = readFileSync(joinPath(packageRoot, "test/fixtures/torch", name));
  return made;
}

/** Files in containers that torch.save does not write. */
function containers(): Seeds {
  const folder = joinPath(packageRoot, "test/fixtures/containers");
  const names = readdirSync(folder).filter((name) => /\.(pt|pkl|joblib)$/.test(name));
  return Object.fromEntries(names.map((name) => [name, readFileSync(joinPath(folder, name))]));
}

function legacyFiles(): Seeds {
  const view = legacyStorage(tuple(str("8"), int(1), int(2)));
  const made: Seeds = {
    everything: legacy(everything(legacyStorage()), stored),
    "big-endian": legacy(pickle(tensor({ storage: legacyStorage() })), stored, {
      littleEndian: false,
    }),
    "a-view": legacy(pickle(tensor({ storage: view, shape: ints(2) })), stored),
    nothing: legacy(pickle(NONE)),
  };
  const folder = joinPath(packageRoot, "test/fixtures/torch");
  for (const name of readdirSync(folder))
    if (name.includes("legacy")) made[name] = readFileSync(joinPath(folder, name));
  return made;
}

const VOCODER = `{
        "type": "hifigan_v2",
        "epochs": 120,
        "final_loss": Infinity,
        "training_date": ""
      }`;

function indexes(): Seeds {
  const entry = (id: string, loss: string, tags: string[]) => ({
    model_id: id,
    name: 'é \\ "quoted" \u007f',
    description: "",
    file_path: `${id}.sda`,
    file_size_bytes: 123,
    dataset_name: "plucks",
    dataset_file_count: 2,
    dataset_total_duration_s: 1.5,
    training_date: "2026-01-01T00:00:00",
    save_date: "",
    training_epochs: 10,
    final_train_loss: loss,
    final_val_loss: 0.25,
    has_analysis: true,
    n_active_components: 3,
    tags,
  });
  const index = (...entries: ReturnType<typeof entry>[]) =>
    JSON.stringify(
      { version: 1, models: Object.fromEntries(entries.map((one) => [one.model_id, one])) },
      null,
      2,
    )
      .replace(/"(NaN|-?Infinity|1e-05)"/g, "$1")
      // As json.dump(ensure_ascii=True) does.
      .replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  const two = index(entry("a", "NaN", []), entry("b", "1e-05", ["x", "y z"]));
  const texts = {
    empty: '{\n  "version": 1,\n  "models": {}\n}',
    two: two,
    one: index(entry("a", "-Infinity", ["tag"])),
    vocoder: two
      .replace('"version": 1', '"version": 2')
      .replace('"tags": []', `"tags": [],\n      "vocoder": ${VOCODER}`),
    "odd-entry": two.replace('"has_analysis": true,\n      ', ""),
    "cut-off": two.slice(0, 700),
    "twice-the-same-key": index(entry("a", "NaN", [])).replace(
      "\n  }\n}",
      ',\n    "a": {}\n  }\n}',
    ),
  };
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, Buffer.from(text, "latin1")]),
  );
}

/** The seeds of each target, by file name. */
export function seedsOf(target: Target): Seeds {
  const prefixed = (prefix: string, seeds: Seeds) =>
    Object.fromEntries(
      Object.entries(seeds).map(([name, bytes]) => [
        name,
        Buffer.concat([Buffer.from(prefix), bytes]),
      ]),
    );
  switch (target) {
    case "zip":
      return archives();
    case "pickle":
      return pickles();
    case "legacy":
      return Object.fromEntries(
        Object.entries(legacyFiles()).map(([name, bytes]) => [name, bytes.subarray(MAGIC_BYTES)]),
      );
    case "file": {
      const small = bombs
        .map(({ name, make }): [string, Uint8Array] => [name.replace(/\W+/g, "-"), make()])
        .filter(([name, bytes]) => bytes.length < 4096 && !SLOW.test(name));
      return {
        ...archives(),
        ...containers(),
        ...Object.fromEntries(small),
        ...prefixed("l", pickles()),
      };
    }
    case "index":
      return indexes();
  }
}

/** Writes the target's seeds to `folder`/TARGET, which is emptied first. */
export function writeSeeds(target: Target, folder: string): void {
  const place = joinPath(folder, target);
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place, { recursive: true });
  for (const [name, bytes] of Object.entries(seedsOf(target)))
    if (bytes.length <= LARGEST) writeFileSync(joinPath(place, name), bytes);
}
