import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { SdaError, SdaErrorCode } from "../../lib/base/errors.js";
import { type LoadOptions, load } from "../../lib/torch/index.js";
import { sdaError } from "./errors.js";
import { temporaryFolder } from "./folder.js";
import { legacy } from "./legacy-builder.js";
import {
  type Code,
  NONE,
  pickle,
  storage,
  type TensorParts,
  THREE_FLOATS,
  tensor,
} from "./pickle-builder.js";
import { type TorchZipOptions, torchZip } from "./zip-builder.js";

/** Writes a file, which is removed after the test. */
export function fileOf(content: Uint8Array, name = "file.pt"): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, content);
  return path;
}

/** Loads these bytes as a file. */
export function loadBytes(content: Uint8Array, options?: LoadOptions): Promise<unknown> {
  return load(fileOf(content), options);
}

/** Loads a zip with this code as its data.pkl, in protocol 2. */
export function loadPickle(
  code: Code,
  storages: Record<string, Buffer> = {},
  options: LoadOptions & { zip?: TorchZipOptions } = {},
): Promise<unknown> {
  const { zip, ...rest } = options;
  return loadBytes(torchZip(pickle(code), storages, zip).bytes, rest);
}

/** Loads these bytes and returns the error, which must have this code and name the file. */
export async function refusal(
  content: Uint8Array,
  code: SdaErrorCode | SdaErrorCode[],
  options?: LoadOptions,
): Promise<SdaError> {
  const path = fileOf(content);
  const error = await sdaError(() => load(path, options));
  const codes = Array.isArray(code) ? code : [code];
  expect(codes, error.message.slice(0, 300)).toContain(error.code);
  expect(error.details?.["path"]).toBe(path);
  return error;
}

/** As `refusal`, of a zip with this code as its data.pkl. */
export function refusedPickle(
  code: Code,
  expected: SdaErrorCode | SdaErrorCode[],
  storages: Record<string, Buffer> = {},
  options?: LoadOptions,
): Promise<SdaError> {
  return refusal(torchZip(pickle(code), storages).bytes, expected, options);
}

/** The float32 tensor [1, 2, 3] in the zip container. `parts` changes its description. */
export function tensorZip(parts: Partial<TensorParts> = {}, options: TorchZipOptions = {}): Buffer {
  const code = pickle(tensor({ storage: storage(3), ...parts }));
  return torchZip(code, { "0": THREE_FLOATS }, options).bytes;
}

/** The same tensor in the legacy container. */
export function tensorLegacy(parts: Partial<TensorParts> = {}): Buffer {
  const code = pickle(tensor({ storage: legacyStorage(3), ...parts }));
  return legacy(code, [{ key: "7", count: 3, data: THREE_FLOATS }]);
}

/** The persistent id of a legacy storage. Its sixth part is a view, None for most storages. */
export function legacyStorage(count: number, view: Code = NONE, key = "7"): Code {
  return storage(count, { key, extra: [view] });
}
