import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { findPython } from "../../bench/support/python.js";
import { temporaryFolder } from "../support/folder.js";

/** A command that stands for a Python: it prints what that one lacks. */
function standIn(folder: string, name: string, prints: string, status = 0): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\necho ${prints}\nexit ${status}\n`);
  chmodSync(file, 0o755);
  return file;
}

describe.skipIf(process.platform === "win32")("the Python that peers run in", () => {
  it("is SDA_PYTHON and no other", () => {
    const folder = temporaryFolder();
    standIn(folder, "python3", "");
    const named = standIn(join(folder, "named"), "any", "");
    expect(findPython({ PATH: folder, SDA_PYTHON: named })).toEqual({ command: named });
    expect(findPython({ PATH: folder, SDA_PYTHON: "/nonexistent" })).toEqual({
      command: null,
      why: "No comparison with Python (SDA_PYTHON: /nonexistent cannot be started)",
    });
  });

  it("is the first on the PATH that has all that the peers import", () => {
    const folder = temporaryFolder();
    standIn(folder, "python3", "torch scipy");
    standIn(folder, "python", "");
    expect(findPython({ PATH: folder })).toEqual({ command: "python" });
  });

  it("is none where none has, which is told with the reasons", () => {
    const folder = temporaryFolder();
    standIn(folder, "python3", "torch scipy");
    standIn(folder, "python", "", 1);
    expect(findPython({ PATH: folder })).toEqual({
      command: null,
      why: "No comparison with Python (SDA_PYTHON names one; python3 has no torch and no scipy, python is no working Python)",
    });
  });
});

it("a folder of the working folder is no module", () => {
  // Python takes any folder for a package without content.
  expect(findPython(process.env, ["doc"]).command).toBeNull();
});
