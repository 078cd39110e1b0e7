import { cpSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { SdaError } from "../../lib/base/errors.js";
import { isSdaError } from "../../lib/base/io-error.js";
import { reportError } from "../../lib/cli/io.js";
import { compiled } from "../support/compiled.js";
import { temporaryFolder } from "../support/folder.js";
import { keepingIo } from "../support/io.js";

describe("an error of another copy of this package", () => {
  it("is recognised, with its code and exit code", async () => {
    const copy = join(temporaryFolder(), "errors.mjs");
    cpSync(compiled("lib/base/errors.js"), copy);
    cpSync(compiled("lib/base/brief.js"), join(copy, "../brief.js"));
    const other = await import(pathToFileURL(copy).href);
    expect(other.SdaError).not.toBe(SdaError);
    const error = new other.SdaError("ERR_SDA_NOT_FOUND", "not there", { path: "a.sda" });
    expect(error).toBeInstanceOf(SdaError);
    expect(isSdaError(error, "ERR_SDA_NOT_FOUND")).toBe(true);
    const { io, kept } = keepingIo();
    expect(reportError(error, io, false)).toBe(2);
    expect(kept.stderr).toBe("error: a.sda: not there (ERR_SDA_NOT_FOUND)\n");
  });

  it("differs from other values and from subclasses", () => {
    class Special extends SdaError {}
    expect(new SdaError("ERR_SDA_IO", "x")).not.toBeInstanceOf(Special);
    expect(new Special("ERR_SDA_IO", "x")).toBeInstanceOf(Special);
    expect(new Special("ERR_SDA_IO", "x")).toBeInstanceOf(SdaError);
    for (const other of [new Error("x"), null, "x", {}, { code: "ERR_SDA_IO" }]) {
      expect(other instanceof SdaError).toBe(false);
    }
    expect(Object.keys(new SdaError("ERR_SDA_IO", "x"))).not.toContain("BRAND");
  });
});
