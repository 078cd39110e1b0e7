import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { cachedLibtorch, findLibtorch, searchLibtorch } from "../../lib/native/libtorch.js";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sda-libtorch-"));
  vi.stubEnv("SDA_LIBTORCH", "");
  vi.stubEnv("XDG_CACHE_HOME", folder);
  vi.stubEnv("SDA_PYTHON", join(folder, "no-python"));
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** Empty files will do: a search opens no library. */
function makeLibtorch(path: string, version: string): string {
  const [before, after] = process.platform === "win32" ? ["", ".dll"] : ["lib", ".so"];
  mkdirSync(join(path, "lib"), { recursive: true });
  for (const name of ["c10", "torch_cpu"]) {
    writeFileSync(
      join(path, "lib", before + name + (process.platform === "darwin" ? ".dylib" : after)),
      "",
    );
  }
  writeFileSync(join(path, "version.py"), `__version__ = '${version}'\n`);
  return path;
}

test("no LibTorch: the error lists every place and ends with a command", () => {
  expect(() => findLibtorch()).toThrow(
    expect.objectContaining({
      code: "ERR_SDA_LIBTORCH",
      message: expect.stringMatching(/npm run build:libtorch$/),
      details: {
        tried: expect.arrayContaining([
          expect.objectContaining({ source: "package" }),
          expect.objectContaining({ source: "cache" }),
          expect.objectContaining({ source: "python", problem: "no such program" }),
        ]),
      },
    }),
  );
});

test("the order: SDA_LIBTORCH, the build's own, the cache, Python", () => {
  const python = join(folder, "python3");
  makeLibtorch(join(folder, "site/torch"), "2.13.1");
  writeFileSync(python, `#!/bin/sh\necho ${join(folder, "site/torch")}\n`, { mode: 0o755 });
  vi.stubEnv("SDA_PYTHON", python);
  expect(searchLibtorch().found).toMatchObject({ source: "python", version: "2.13.1" });

  makeLibtorch(cachedLibtorch("2.13.0"), "2.13.0+cpu");
  expect(searchLibtorch().found).toMatchObject({ source: "cache", version: "2.13.0+cpu" });

  const path = makeLibtorch(join(folder, "built"), "2.13.0");
  expect(searchLibtorch({ builtFrom: path }).found).toMatchObject({ source: "build", path });

  vi.stubEnv("SDA_LIBTORCH", makeLibtorch(join(folder, "named"), "2.13.2"));
  expect(searchLibtorch({ builtFrom: path }).found).toMatchObject({ source: "SDA_LIBTORCH" });
});

test("an unsuitable SDA_LIBTORCH is reported, and no other LibTorch replaces it", () => {
  makeLibtorch(cachedLibtorch("2.13.0"), "2.13.0");
  vi.stubEnv("SDA_LIBTORCH", join(folder, "nothing"));
  const { found, tried } = searchLibtorch();
  expect(found).toBeUndefined();
  expect(tried).toMatchObject([{ source: "SDA_LIBTORCH" }]);
});

test.each(["2.10.3", "2.15.0", "3.0.0"])("%s is outside of the supported versions", (version) => {
  vi.stubEnv("SDA_LIBTORCH", makeLibtorch(join(folder, "named"), version));
  expect(searchLibtorch().tried[0]?.problem).toContain(version);
});

test("the engine takes only the minor version it was built with", () => {
  makeLibtorch(cachedLibtorch("2.13.0"), "2.13.0");
  const other = makeLibtorch(cachedLibtorch("2.14.0"), "2.14.0");
  expect(searchLibtorch({ builtWith: "2.14.1" }).found?.path).toBe(other);
});

test("a build needs the headers as well", () => {
  const path = makeLibtorch(cachedLibtorch("2.13.0"), "2.13.0");
  expect(searchLibtorch({ headers: true }).found).toBeUndefined();
  mkdirSync(join(path, "include/torch/headeronly"), { recursive: true });
  writeFileSync(join(path, "include/torch/headeronly/version.h"), "");
  expect(searchLibtorch({ headers: true }).found?.path).toBe(path);
});
