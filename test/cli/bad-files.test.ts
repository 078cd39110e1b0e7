import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { run } from "../../lib/cli/program.js";
import { fixture } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import { keepingIo } from "../support/io.js";
import { engineBuilt } from "../support/native.js";
import { pickle } from "../support/pickle-builder.js";
import { torchZip } from "../support/zip-builder.js";

let folder: string;
let library: string;
beforeEach(() => {
  folder = temporaryFolder();
  library = join(folder, "library");
  mkdirSync(library);
});

async function sda(...args: string[]) {
  const { io, kept } = keepingIo();
  return { code: await run(args, io), ...kept };
}

/** `os.system`: first named, then called. */
const evil = () =>
  Buffer.from(
    torchZip(pickle(Buffer.from("cposix\nsystem\nX\x04\0\0\0echo\x85R", "latin1"))).bytes,
  );

const files: Record<string, (path: string) => void> = {
  empty: (path) => writeFileSync(path, ""),
  "of another kind": (path) => writeFileSync(path, "<!doctype html><title>404</title>"),
  "cut short": (path) => {
    copyFileSync(fixture("models/tiny.sda"), path);
    truncateSync(path, 20_000);
  },
  "with a flipped bit in its pickle": (path) => {
    const bytes = readFileSync(fixture("models/tiny.sda"));
    const at = bytes.indexOf("latent_dim");
    bytes[at] = (bytes[at] as number) ^ 1;
    writeFileSync(path, bytes);
  },
  hostile: (path) => writeFileSync(path, evil()),
};

const commands: Record<string, (path: string) => string[]> = {
  "model info": (path) => ["model", "info", path],
  "model import": (path) => ["model", "import", path, "--models-dir", library],
  "model verify": (path) => ["model", "verify", path],
  inspect: (path) => ["inspect", path],
  bench: (path) => ["bench", path, "--seconds", "0.1"],
  ...(engineBuilt && {
    generate: (path: string) => ["generate", path, "-o", library, "--device", "cpu"],
  }),
};

describe.each(Object.entries(commands))("sda %s", (command, args) => {
  it.each(Object.entries(files))("of a file %s", async (kind, make) => {
    const path = join(folder, "file.sda");
    make(path);
    const { code, stdout, stderr } = await sda(...args(path));
    if (command === "inspect" && kind === "hostile") {
      // inspect shows what such a file names.
      expect([code, stdout]).toEqual([0, ""]);
      expect(stderr).toContain("posix.system");
      return;
    }
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(path);
    expect(stderr).not.toMatch(/\n\s+at /);
    if (command !== "model verify") {
      expect(stderr).toMatch(/^error: [^\n]*\(ERR_SDA_(FORMAT|CORRUPT|UNSAFE|SCHEMA)\)\n$/);
      const debug = await sda(...args(path), "--debug");
      expect(debug.stderr).toMatch(/\n\s+at /);
    }
    expect(readdirSync(library)).toEqual([]);
  });

  it("of a missing path exits with 2", async () => {
    const { code, stdout, stderr } = await sda(...args(join(folder, "none.sda")));
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^error: [^\n]*\(ERR_SDA_NOT_FOUND\)\n$/);
    expect(readdirSync(library)).toEqual([]);
  });

  it("of a folder says so", async () => {
    const { code, stdout, stderr } = await sda(...args(library));
    expect(code).toBeGreaterThan(0);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/^error: [^\n]*\(ERR_SDA_\w+\)\n$/);
  });
});

describe("a library in a bad state", () => {
  it.each([
    ["is a file", () => fixture("models/tiny.sda"), 2],
    ["is not there", () => join(folder, "none"), 2],
  ])("that %s", async (_, dir, expected) => {
    for (const command of [
      ["list"],
      ["info", "x"],
      ["delete", "x", "-f"],
      ["repair"],
      ["verify"],
    ]) {
      const { code, stdout, stderr } = await sda("model", ...command, "--models-dir", dir());
      expect([command, code, stdout]).toEqual([command, expected, ""]);
      expect(stderr).toMatch(/^error: [^\n]*\(ERR_SDA_(NOT_FOUND|ARGUMENT)\)\n$/);
    }
  });

  it("whose index is newer than this program is not changed", async () => {
    const index = '{\n  "version": 99,\n  "models": {}\n}';
    writeFileSync(join(library, "model_library.json"), index);
    expect((await sda("model", "list", "--models-dir", library)).code).toBe(0);
    const { code, stderr } = await sda("model", "repair", "--models-dir", library);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: [^\n]*\(ERR_SDA_VERSION\)\n$/);
    expect(readFileSync(join(library, "model_library.json"), "utf8")).toBe(index);
  });
});
