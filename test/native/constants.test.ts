/** What C++ and TypeScript both state: each test fails when one side changes without the other. */
import { readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { SdaErrorCode } from "../../lib/base/errors.js";
import { fileIdentity } from "../../lib/base/file-identity.js";
import { ENTRY_NAMES, entryTextIn, FIELDS } from "../../lib/library/index/entry.js";
import { LAYOUT } from "../../lib/library/index/index-image.js";
import { ABORTED, PART_MISSING } from "../../lib/native/call.js";
import { LIBTORCH_RANGE } from "../../lib/native/libtorch.js";
import { checkpointAddon } from "../../lib/native/load.js";
import { Code, MAX_DEPTH } from "../../lib/torch/encode.js";
import { OP } from "../../lib/values/program.js";
import {
  MARK,
  SLOT_FLOAT,
  SLOT_KINDS,
  SLOT_NUMPY_SCALAR,
  SLOT_VERSION,
} from "../../lib/values/provenance.js";
import {
  checkTensorData,
  DTYPES,
  isNumpyType,
  MAX_DIMENSIONS,
} from "../../lib/values/tensor-data.js";
import type { DType } from "../../lib/values/values.js";
import { entry, indexText } from "../library/support.js";
import { temporaryFolder } from "../support/folder.js";

const native = checkpointAddon().constants();

describe("the addon and TypeScript agree on", () => {
  test("the error codes", () => {
    // The type check fails when this list and the type differ.
    const codes: Record<SdaErrorCode, true> = {
      ERR_SDA_NOT_FOUND: true,
      ERR_SDA_FORMAT: true,
      ERR_SDA_CORRUPT: true,
      ERR_SDA_UNSAFE: true,
      ERR_SDA_VERSION: true,
      ERR_SDA_SCHEMA: true,
      ERR_SDA_LIMIT: true,
      ERR_SDA_ARGUMENT: true,
      ERR_SDA_DEVICE: true,
      ERR_SDA_LIBTORCH: true,
      ERR_SDA_NATIVE: true,
      ERR_SDA_DISPOSED: true,
      ERR_SDA_LOCKED: true,
      ERR_SDA_IO: true,
    };
    expect([...native.errorCodes].sort()).toEqual(Object.keys(codes).sort());
    expect(native.abortedCode).toBe(ABORTED);
    expect(native.partMissingCode).toBe(PART_MISSING);
  });

  test("the codes of a save plan and their order", () => {
    const names = Object.keys(Code).filter((key) => Number.isNaN(Number(key)));
    expect(native.planCodes).toEqual(names);
    expect(names.map((name) => Code[name as keyof typeof Code])).toEqual(names.map((_, i) => i));
  });

  test("the operations of a program of values and their order", () => {
    const names = native.programOps.map((name) => name.toLowerCase());
    expect(Object.fromEntries(names.map((name, i) => [name, i]))).toEqual(OP);
  });

  test("the marks of values and the kinds of slots", () => {
    expect(native.marks).toEqual(MARK);
    expect(native.slots).toEqual({
      float: SLOT_FLOAT,
      numpyScalar: SLOT_NUMPY_SCALAR,
      version: SLOT_VERSION,
      kinds: SLOT_KINDS,
    });
  });

  test("the dtypes, their typed arrays and which of them numpy has", () => {
    // The type check fails when this list and the type differ.
    const dtypes: Record<DType, true> = {
      bool: true,
      uint8: true,
      int8: true,
      int16: true,
      int32: true,
      int64: true,
      uint16: true,
      uint32: true,
      uint64: true,
      float16: true,
      bfloat16: true,
      float32: true,
      float64: true,
      complex32: true,
      complex64: true,
      complex128: true,
      float8_e4m3fn: true,
      float8_e5m2: true,
      float8_e4m3fnuz: true,
      float8_e5m2fnuz: true,
      float8_e8m0fnu: true,
      qint8: true,
      quint8: true,
      qint32: true,
      quint4x2: true,
      quint2x4: true,
      bits8: true,
      bits16: true,
      bits1x8: true,
      bits2x4: true,
      bits4x2: true,
      float4_e2m1fn_x2: true,
    };
    expect(native.dtypes.map(({ name }) => name)).toEqual(DTYPES);
    expect([...DTYPES].sort()).toEqual(Object.keys(dtypes).sort());
    const arrays = globalThis as unknown as Record<string, new (length: number) => object>;
    for (const { name, array, perElement, numpy } of native.dtypes) {
      const data = new (arrays[array] as new (length: number) => object)(3 * perElement);
      expect(checkTensorData(name, [3], data), name).toBeNull();
      expect(isNumpyType(name as DType), name).toBe(numpy);
    }
  });

  test("the limits on nesting and dimensions", () => {
    expect(native.limits).toEqual({ depth: MAX_DEPTH, dimensions: MAX_DIMENSIONS });
  });
});

test("CMake takes the range of LibTorch's versions from TypeScript's source", () => {
  const read = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");
  const definition = read("cmake/libtorch.cmake");
  expect(definition).toMatch(
    /set\(range_source \$\{CMAKE_SOURCE_DIR\}\/lib\/native\/libtorch\.ts\)/,
  );
  expect(definition).toMatch(/set\(SDA_LIBTORCH_MIN \$\{CMAKE_MATCH_1\}\)/);
  expect(definition).toMatch(/set\(SDA_LIBTORCH_BELOW \$\{CMAKE_MATCH_2\}\)/);
  const [, pattern = ""] = /set\(range_pattern "(.*)"\)/.exec(definition) ?? [];
  const line = new RegExp(pattern.replaceAll('\\"', '"').replaceAll("\\\\", "\\"), "m");
  expect(line.exec(read("lib/native/libtorch.ts"))?.slice(1)).toEqual([...LIBTORCH_RANGE]);
});

const VOCODER_JSON = { type: "v", epochs: 1, final_loss: 0.5, training_date: "" };

describe("the index", () => {
  test("is described by the same numbers", () => {
    expect(native.indexLayout).toEqual(LAYOUT);
  });

  test("that TypeScript writes is regular to the scanner, field by field", async () => {
    const vocoder = { type: "v", epochs: 1, finalLoss: 0.5, trainingDate: "" };
    const model = entry(1, { tags: ["a", "b"], hasAnalysis: true, vocoder });
    const text = indexText([entryTextIn(2, model)], 2);
    const path = join(temporaryFolder(), "index.json");
    writeFileSync(path, text);
    const { layout } = await checkpointAddon().readIndex(path);
    expect(layout).toHaveLength(LAYOUT.stride);
    const at = layout as Uint32Array;
    expect(at[LAYOUT.flags]).toBe(0);
    expect(text.slice(at[LAYOUT.entryStart], at[LAYOUT.keyEnd])).toBe(`"${model.modelId}"`);
    FIELDS.forEach((field, i) => {
      const before = text.slice(0, at[LAYOUT.valueEnds + i]);
      const start = before.lastIndexOf(`"${ENTRY_NAMES[field]}": `);
      const value = before.slice(start + ENTRY_NAMES[field].length + 4);
      const expected = field === "vocoder" ? VOCODER_JSON : model[field];
      expect(JSON.parse(value)).toEqual(expected);
    });
  });

  test("has the same identity from the addon and from TypeScript", async () => {
    const path = join(temporaryFolder(), "index.json");
    writeFileSync(path, indexText([]));
    utimesSync(path, 1, 2.5); // now the two times of the identity differ
    expect((await checkpointAddon().readIndex(path)).identity).toBe(await fileIdentity(path));
  });
});
