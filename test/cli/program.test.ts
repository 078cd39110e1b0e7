import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { run } from "../../lib/cli/program.js";
import { temporaryFolder } from "../support/folder.js";
import { keepingIo } from "../support/io.js";

async function sda(...args: string[]) {
  const { io, kept } = keepingIo();
  return { code: await run(args, io), ...kept };
}

describe("sda", () => {
  it("prints its version on stdout", async () => {
    const { code, stdout } = await sda("--version");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it("prints help with examples", async () => {
    expect((await sda("--help")).stdout).toContain("generate");
    const { code, stdout } = await sda("generate", "--help");
    expect(code).toBe(0);
    expect(stdout).toContain("Examples:");
    for (const option of ["--duration", "--slider", "--spatial-mode", "--json", "--device"]) {
      expect(stdout).toContain(option);
    }
  });

  it("needs a command", async () => {
    const { code, stdout, stderr } = await sda();
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain("Usage: sda");
  });

  it.each([
    [["generat", "x.sda"], "Did you mean generate?"],
    [["generate", "x.sda", "--duratoin", "1"], "Did you mean --duration?"],
    [["generate"], "missing required argument 'ref'"],
    [["generate", "a.sda", "b.sda"], "too many arguments"],
    [["generate", "x.sda", "-d", "long"], "Expected a number."],
    [["generate", "x.sda", "-d", ""], "Expected a number."],
    [["generate", "x.sda", "-s", "1.5"], "Expected a whole number."],
    [["generate", "x.sda", "-n", "0"], "Expected 1 or more."],
    [["generate", "x.sda", "--slider", "5"], "Expected INDEX:POSITION"],
    [["generate", "x.sda", "--slider", "0:1.5"], "Expected INDEX:POSITION"],
    [["generate", "x.sda", "--sample-rate", "22050"], "Allowed choices are 44100, 48000, 96000."],
    [["generate", "x.sda", "--bit-depth", "8"], "Allowed choices are 16, 24, 32, 16-bit"],
    [["generate", "x.sda", "--spatial-mode", "surround"], "Allowed choices are mono, stereo"],
  ])("refuses %j", async (args, message) => {
    const { code, stdout, stderr } = await sda(...args);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(stdout).toBe("");
  });

  it.each([
    ["that is not there", () => join(temporaryFolder(), "none.sda")],
    ["that is a folder", temporaryFolder],
  ])("refuses a model %s in one line, whose stack --debug shows", async (_, ref) => {
    const args = ["generate", ref(), "--models-dir", temporaryFolder()];
    const plain = await sda(...args);
    expect(plain.code).toBe(2);
    expect(plain.stderr).toMatch(/^error: no model is called [^\n]*\(ERR_SDA_NOT_FOUND\)\n$/);
    const debug = await sda(...args, "--debug");
    expect(debug.code).toBe(2);
    expect(debug.stderr).toMatch(/\n\s+at /);
  });

  it("names the library folder if it is missing", async () => {
    const { code, stderr } = await sda("generate", "pads", "--models-dir", "/nowhere/at/all");
    expect(code).toBe(2);
    expect(stderr).toBe("error: there is no models folder /nowhere/at/all (ERR_SDA_NOT_FOUND)\n");
  });

  it.each([
    ["model", "list, info, edit, delete"],
    ["model edit", "--no-tags"],
    ["serve", "--allowed-host"],
    ["model list", "--query"],
    ["model info", "--models-dir"],
    ["model delete", "--force"],
    ["model import", "--tag"],
    ["model repair", "--json"],
    ["model verify", "--debug"],
    ["inspect", "--all"],
    ["completion", "bashrc"],
    ["doctor", "--json"],
  ])("explains %s, with examples", async (command, text) => {
    const { code, stdout } = await sda(...command.split(" "), "--help");
    expect(code).toBe(0);
    for (const word of text.split(", ")) expect(stdout).toContain(word);
    if (command !== "model" && command !== "doctor") expect(stdout).toContain("Examples:");
  });

  it("suggests similar subcommands", async () => {
    expect((await sda("model", "lsit")).stderr).toContain("Did you mean list?");
    expect((await sda("model", "list", "--quary", "x")).stderr).toContain("Did you mean --query?");
  });
});
