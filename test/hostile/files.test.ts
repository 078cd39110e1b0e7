import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { inspect, load } from "../../lib/torch/index.js";
import { count } from "../support/effort.js";
import { sdaError } from "../support/errors.js";
import { temporaryFolder } from "../support/folder.js";
import { fileOf, refusal, tensorLegacy, tensorZip } from "../support/torch-file.js";
import { zip } from "../support/zip-builder.js";

/** Odd, so that the cuts fall on all positions within aligned values. */
const STEP = count({ quick: 7, full: 1 });

describe("what is no file", () => {
  test("a missing one", async () => {
    const path = join(temporaryFolder(), "none.pt");
    const error = await sdaError(() => load(path));
    expect(error.code).toBe("ERR_SDA_NOT_FOUND");
    expect(error.details?.["path"]).toBe(path);
  });

  test("a file as a folder of another", async () => {
    const path = join(process.execPath, "file.pt");
    expect((await sdaError(() => load(path))).code).toBe("ERR_SDA_NOT_FOUND");
  });

  test("a directory", async () => {
    const error = await sdaError(() => load(temporaryFolder()));
    expect(error.code).toBe("ERR_SDA_FORMAT");
    expect(error.message).toContain("is a directory");
  });

  test("a FIFO that nobody writes to", async () => {
    const path = join(temporaryFolder(), "fifo");
    execFileSync("mkfifo", [path]);
    const error = await sdaError(() => load(path));
    expect(error.code).toBe("ERR_SDA_FORMAT");
    expect(error.message).toContain("is not a file");
  });

  test("a device without an end", async () => {
    expect((await sdaError(() => load("/dev/zero"))).code).toBe("ERR_SDA_FORMAT");
  });

  test("a symbolic link that points at itself", async () => {
    const path = join(temporaryFolder(), "loop");
    symlinkSync(path, path);
    const error = await sdaError(() => load(path));
    expect(error.code).toBe("ERR_SDA_IO");
    expect(error.details?.["path"]).toBe(path);
  });

  test("a name that is a folder of a missing folder", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "a"));
    expect((await sdaError(() => load(join(folder, "b", "a.pt")))).code).toBe("ERR_SDA_NOT_FOUND");
  });

  // Files of sysfs state a size of one page and hold less, like a file that shrinks while read.
  const shrinking = "/sys/kernel/mm/transparent_hugepage/enabled";
  test.skipIf(!existsSync(shrinking))("a file that has less than its size says", async () => {
    const error = await sdaError(() => load(shrinking));
    expect(error.code).toBe("ERR_SDA_CORRUPT");
    expect(error.details).toMatchObject({ path: shrinking, offset: expect.any(Number) });
  });
});

const tar = Buffer.alloc(10240);
tar.write("sys_info");
tar.write("ustar", 257);

test.each<[string, Buffer, string]>([
  ["nothing", Buffer.alloc(0), "is empty"],
  ["spaces", Buffer.from("  \n\t "), "an empty text"],
  ["HTML", Buffer.from("<!DOCTYPE html><html><title>404</title></html>"), "HTML or XML"],
  ["HTML after a byte order mark", Buffer.from("\ufeff <html>"), "HTML or XML"],
  ["a JSON object", Buffer.from('{"format": "sda_model"}'), "JSON"],
  ["a JSON array", Buffer.from("[1, 2]"), "JSON"],
  ["7z", Buffer.from("377abcaf271c00040000", "hex"), "a 7z archive"],
  ["xz", Buffer.from("fd377a585a000004", "hex"), "an xz archive"],
  ["bzip2", Buffer.from("BZh91AY&SY"), "a bzip2 archive"],
  ["zstd", Buffer.from("28b52ffd0458", "hex"), "a zstd archive"],
  ["rar", Buffer.from("Rar!\x1a\x07\x00", "latin1"), "a rar archive"],
  ["tar", tar, "a tar archive"],
  ["HDF5", Buffer.from("\x89HDF\r\n\x1a\n", "latin1"), "an HDF5 file"],
  ["WAV", Buffer.from("RIFF\x24\x00\x00\x00WAVE", "latin1"), "a RIFF file"],
  ["GGUF", Buffer.from("GGUF\x03\x00\x00\x00", "latin1"), "a GGUF file"],
  ["a program", Buffer.from("\x7fELF\x02\x01\x01", "latin1"), "a program"],
  ["a Git LFS pointer", Buffer.from("version https://git-lfs.example/spec/v1\n"), "Git LFS"],
  ["noise", Buffer.from("ffee0011", "hex"), "something else"],
  ["a length without safetensors", Buffer.from("40000000000000007b7b", "hex"), "something else"],
  ["zeros", Buffer.alloc(64), "never written: it begins with zeros alone"],
  ["TensorFlow Lite", Buffer.from("\x1c\0\0\0TFL3", "latin1"), "a TensorFlow Lite model"],
  ["ONNX", Buffer.from("\x08\x07\x12\x07pytorch\x1a\x051.9.0", "latin1"), "an ONNX model"],
  ["a zip of torch files", zip([{ name: "model.pt", data: tar }]).bytes, "extract 'model.pt'"],
  ["Keras", zip([{ name: "config.json", data: tar }]).bytes, "Keras"],
  ["several saves in one file", Buffer.concat([tensorZip(), tensorZip()]), "several torch.save"],
  ["a plain zip", zip([{ name: "readme.txt", data: tar }]).bytes, "not in a top folder"],
  ["a zip without data.pkl", zip([{ name: "a/b", data: tar }]).bytes, "no data.pkl"],
  ["a zip without entries", zip([]).bytes, "a zip archive without files"],
])("not a torch file: %s", async (_, content, found) => {
  const error = await refusal(content, "ERR_SDA_FORMAT");
  expect(error.message).toContain(found);
  expect(error.details?.["offset"]).toEqual(expect.any(Number));
});

describe(`cut off at every byte, in steps of ${STEP}`, () => {
  test.each([
    ["zip", tensorZip()],
    ["legacy", tensorLegacy()],
  ])("%s", async (_, whole) => {
    const path = fileOf(whole);
    await expect(load(path)).resolves.toBeDefined();
    for (let size = 0; size < whole.length; size += STEP) {
      writeFileSync(path, whole.subarray(0, size));
      for (const read of [
        () => load(path),
        () => load(path, { verify: false }),
        () => load(path, { weights: false }),
        () => inspect(path),
      ]) {
        const error = await sdaError(read);
        expect(["ERR_SDA_FORMAT", "ERR_SDA_CORRUPT"], `${size} bytes`).toContain(error.code);
        expect(error.details).toMatchObject({ path, offset: expect.any(Number) });
      }
    }
  });
});
