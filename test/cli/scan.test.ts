import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { run } from "../../lib/cli/program.js";
import { fixture } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import { keepingIo } from "../support/io.js";
import { call, global, pickle, str } from "../support/pickle-builder.js";
import { tensorZip } from "../support/torch-file.js";
import { torchZip } from "../support/zip-builder.js";

const evil = torchZip(pickle(call(global("posix", "system"), str("echo")))).bytes;

async function sda(...args: string[]) {
  const { io, kept } = keepingIo();
  return { code: await run(["scan", ...args], io), ...kept };
}

function someFiles(): string {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "good.pt"), tensorZip());
  writeFileSync(join(folder, "evil"), evil);
  writeFileSync(join(folder, "cut.pt"), tensorZip().subarray(0, 300));
  writeFileSync(join(folder, "notes.txt"), "hello");
  symlinkSync(join(folder, "nowhere"), join(folder, "link"));
  return folder;
}

test("exits with 0 if all files are safe, and says so", async () => {
  const { code, stdout, stderr } = await sda(fixture("models/tiny.sda"));
  expect([code, stdout]).toEqual([0, ""]);
  expect(stderr).toMatch(/^safe {8}\S+tiny\.sda\n1 file: 1 safe, 0 refused/);
  expect((await sda(temporaryFolder())).code).toBe(0);
});

test("exits with 1 for a refused, a damaged and an unreadable file", async () => {
  const folder = someFiles();
  const { code, stdout, stderr } = await sda(folder);
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/refused {5}\S+evil\n {12}posix\.system runs a shell command \[runs-comm/);
  expect(stderr).toMatch(/damaged {5}\S+cut\.pt\n {12}\S+.* \[damaged\]\n/);
  expect(stderr).toMatch(/unreadable {2}\S+link\n/);
  expect(stderr).toMatch(/other {7}\S+notes\.txt \(something else\)\n/);
  expect(stderr).toMatch(/5 files: 1 safe, 1 refused, 1 damaged, 1 unreadable, 1 other\n$/);
  for (const name of ["evil", "cut.pt"]) expect((await sda(join(folder, name))).code).toBe(1);
  expect((await sda(join(folder, "good.pt"), join(folder, "evil"))).code).toBe(1);
});

test.each([
  ["no path", []],
  ["a path that does not exist", [join(temporaryFolder(), "nowhere")]],
  ["an unknown option", ["--fast", "."]],
  ["two forms", ["--json", "--sarif", "."]],
  ["no output", [".", "-o", ""]],
])("exits with 2 for %s", async (_, args) => {
  const { code, stdout, stderr } = await sda(...args);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(/error: /);
});

test("--json has the documented form", async () => {
  const folder = someFiles();
  const { code, stdout, stderr } = await sda("--json", folder);
  expect([code, stderr]).toEqual([1, ""]);
  const report = JSON.parse(stdout);
  expect(Object.keys(report)).toEqual(["version", "ok", "counts", "files"]);
  expect(report).toMatchObject({
    version: 1,
    ok: false,
    counts: { safe: 1, refused: 1, other: 1 },
  });
  for (const file of report.files) {
    expect(Object.keys(file)).toEqual(["path", "verdict", "kind", "globals", "findings"]);
  }
  const page = readFileSync(new URL("../../doc/scanner.md", import.meta.url), "utf8");
  const keys = report.files.flatMap((f: { findings: object[] }) => f.findings.flatMap(Object.keys));
  for (const key of new Set(["member", ...Object.keys(report), ...keys])) {
    expect(page).toContain(`\`${key}\``);
  }
});

test("-o writes a file, whose suffix tells the form, and the text still appears", async () => {
  const folder = someFiles();
  const out = temporaryFolder();
  const sarif = await sda(folder, "-o", join(out, "scan.sarif"));
  expect(sarif.code).toBe(1);
  expect(sarif.stdout).toBe("");
  expect(sarif.stderr).toContain("5 files");
  expect(JSON.parse(readFileSync(join(out, "scan.sarif"), "utf8"))).toMatchObject({
    version: "2.1.0",
    runs: [{ tool: { driver: { name: "sda scan", version: expect.stringMatching(/^\d/) } } }],
  });
  await sda(folder, "--output", join(out, "scan.json"));
  expect(JSON.parse(readFileSync(join(out, "scan.json"), "utf8"))).toMatchObject({ ok: false });
  await sda(folder, "--sarif", "-o", join(out, "other.json"));
  expect(readFileSync(join(out, "other.json"), "utf8")).toContain("2.1.0");
  const piped = await sda(folder, "--sarif", "-o", "-");
  expect(JSON.parse(piped.stdout).runs).toHaveLength(1);
  expect(piped.stderr).toBe("");
  const nowhere = await sda(join(folder, "good.pt"), "-o", join(out, "none", "x.json"));
  expect([nowhere.code, existsSync(join(out, "none"))]).toEqual([2, false]);
});

test("makes names safe to print", async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "a"));
  writeFileSync(join(folder, "a", "x\u001b[31m\n.pt"), pickle(global("my\u001b[2Jcls", "C")));
  const { stderr } = await sda(folder);
  expect(stderr).not.toContain("\u001b");
  expect(stderr).toContain("\\u001b[31m\\u000a.pt");
});

test("inspect --all judges as scan does", async () => {
  const folder = someFiles();
  const { io, kept } = keepingIo();
  expect(await run(["inspect", "--all", folder], io)).toBe(1);
  expect(kept.stderr).toMatch(/4 files: 1 safe, 1 refused, 2 unreadable; 1 file of other kinds\n$/);
});
