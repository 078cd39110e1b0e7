import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { run } from "../../lib/cli/program.js";
import { corpus, corpusFile } from "../support/corpus.js";
import { temporaryFolder } from "../support/folder.js";
import { keepingIo } from "../support/io.js";
import { engineBuilt } from "../support/native.js";

async function sda(...args: string[]) {
  const { io, kept } = keepingIo();
  return { code: await run(args, io), ...kept };
}

describe.skipIf(corpus === null)("sda inspect", () => {
  const file = corpusFile("models", "small.sda");

  it("lists tensors and Python names on stderr", async () => {
    const { code, stdout, stderr } = await sda("inspect", file);
    expect(code).toBe(0);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/decoder\.fc\.weight +float32 +\[4096, 16\] +262144\n/);
    expect(stderr).toContain("small_dataset_audio.training.config");
  });

  it("as JSON on stdout", async () => {
    const { code, stdout, stderr } = await sda("inspect", file, "--json");
    expect(code).toBe(0);
    expect(stderr).toBe("");
    const found = JSON.parse(stdout);
    expect(found).toMatchObject({ container: "zip", bytes: 3940405 });
    expect(found.tensors.length).toBeGreaterThan(40);
  });
});

it("sda inspect of a file that is not there exits with 2", async () => {
  const { code, stderr } = await sda("inspect", join(temporaryFolder(), "none.pt"));
  expect(code).toBe(2);
  expect(stderr).toContain("ERR_SDA_NOT_FOUND");
});

describe("sda doctor", () => {
  it("reports the addons and LibTorch, and fails if reader or engine does not load", async () => {
    const { code, stdout } = await sda("doctor", "--json");
    const report = JSON.parse(stdout);
    expect(report.reader).toMatchObject({ ok: true });
    expect(report.engine.file).toContain("sda_engine");
    expect(report.libtorch.tried).toBeInstanceOf(Array);
    expect(code).toBe(report.engine.ok ? 0 : 1);
    const text = await sda("doctor");
    expect(text.code).toBe(code);
    expect(text.stdout).toBe("");
    expect(text.stderr).toContain(report.engine.ok ? "ok   engine" : "FAIL engine");
  });

  it.skipIf(!engineBuilt)("says why a given LibTorch is refused, which is no failure", async () => {
    const before = process.env["SDA_LIBTORCH"];
    process.env["SDA_LIBTORCH"] = join(temporaryFolder(), "nowhere");
    try {
      const { code, stderr } = await sda("doctor");
      expect(code).toBe(0);
      expect(stderr).toContain("no   LibTorch, for GPUs only");
      expect(stderr).toContain("LibTorch was not found");
      expect(stderr).toContain(process.env["SDA_LIBTORCH"]);
    } finally {
      if (before === undefined) delete process.env["SDA_LIBTORCH"];
      else process.env["SDA_LIBTORCH"] = before;
    }
  });
});
