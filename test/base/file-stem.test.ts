import { describe, expect, it } from "vitest";
import { fileStem } from "../../lib/base/file-stem.js";
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
});
