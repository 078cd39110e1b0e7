import { describe, expect, it } from "vitest";
import { fileStem, soundStem } from "../../lib/base/file-stem.js";
import { corpus, golden } from "../support/corpus.js";

describe("fileStem", () => {
  it.skipIf(corpus === null).each(Object.entries(golden("sanitize-filename")))(
    "%j becomes %j, as in the Python program",
    (name, stem) => {
      expect(fileStem(name)).toBe(stem);
    },
  );

  it("leaves no way out of a folder, and is never empty", () => {
    expect(fileStem("../../etc/passwd")).toBe("etc_passwd");
    expect(fileStem("雨")).toBe("untitled");
    expect(fileStem("a".repeat(300))).toHaveLength(100);
  });

  it("is no name of a device on Windows", () => {
    expect(fileStem("NUL", "win32")).toBe("nul_");
    expect(fileStem("Com1", "win32")).toBe("com1_");
    expect(fileStem("console", "win32")).toBe("console");
  });
});

describe("soundStem", () => {
  it.each([
    ["Kitchen: Drums", "kitchen_drums"],
    ["ピアノ", "ピアノ"],
    ["Барабаны №1", "барабаны_1"],
    ["e\u0301", "\u00e9"],
    ["İstanbul", "i\u0307stanbul"],
    ["../../etc/passwd", "etc_passwd"],
    ["🎹", "untitled"],
    ["a\u0000b\nc\u202ed", "a_b_c_d"],
    ["\ud800", "untitled"],
    ["a".repeat(300), "a".repeat(100)],
  ])("%j becomes %j", (name, stem) => {
    expect(soundStem(name)).toBe(stem);
  });

  it("fits in a file name with its seed and suffix", () => {
    for (const character of ["雨", "𠮷", "é", "a"]) {
      expect(Buffer.byteLength(soundStem(character.repeat(300)))).toBeLessThanOrEqual(200);
    }
  });
});
