import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { run } from "../../lib/cli/program.js";
import { fixture } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import { keepingIo } from "../support/io.js";
import { pickle } from "../support/pickle-builder.js";
import { torchZip } from "../support/zip-builder.js";

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

async function sda(...args: string[]) {
  const { io, kept } = keepingIo();
  return { code: await run(["inspect", ...args], io), ...kept };
}

/** A call of `os.system`, as in a malicious file. */
function evil(): Buffer {
  const call = Buffer.from("cposix\nsystem\nX\x04\0\0\0echo\x85R", "latin1");
  return Buffer.from(torchZip(pickle(call)).bytes);
}

/** The opcodes of that call with other arguments. */
const call = (argument: string) => Buffer.from(`cposix\nsystem\n(${argument}tR.`, "latin1");

describe("sda inspect --all", () => {
  it("gives each file's globals and verdict, and fails when one is not safe", async () => {
    copyFileSync(fixture("models/tiny.sda"), join(folder, "good.sda"));
    mkdirSync(join(folder, "below"));
    writeFileSync(join(folder, "below", "evil.pt"), evil());
    writeFileSync(join(folder, "page.pth"), "<html>");
    writeFileSync(join(folder, "notes.txt"), "PK, as in Peter Kaiser");
    const { code, stdout } = await sda("--all", folder, "--json");
    expect(code).toBe(1);
    const reports = JSON.parse(stdout);
    expect(reports.map((r: { path: string; verdict: string }) => [r.path, r.verdict])).toEqual([
      [join(folder, "below", "evil.pt"), "refused"],
      [join(folder, "good.sda"), "safe"],
      [join(folder, "page.pth"), "unreadable"],
    ]);
    expect(reports[0]).toMatchObject({ globals: ["posix.system"], refused: ["posix.system"] });
    expect(reports[1].globals).toContain("collections.OrderedDict");
    expect(reports[2].code).toBe("ERR_SDA_FORMAT");

    const text = await sda("--all", folder);
    expect(text.stdout).toBe("");
    expect(text.stderr).toContain("posix.system");
    expect(text.stderr).toMatch(
      /3 files: 1 safe, 1 refused, 1 unreadable; 1 file of other kinds\n$/,
    );
  });

  it("recognises a checkpoint by its first bytes, whatever its name", async () => {
    writeFileSync(join(folder, "model.dat"), evil());
    writeFileSync(join(folder, "weights"), Buffer.from("\x80\x02cposix\nsystem\n.", "latin1"));
    const { code, stdout } = await sda("--all", folder, "--json");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toHaveLength(2);
  });

  it("succeeds in a folder with safe files, or with none", async () => {
    expect(await sda("--all", folder)).toMatchObject({ code: 0, stdout: "" });
    copyFileSync(fixture("checkpoints/tiny.pt"), join(folder, "tiny.pt"));
    symlinkSync(join(folder, "tiny.pt"), join(folder, "link.pt"));
    const { code, stderr } = await sda("--all", folder);
    expect(code).toBe(0);
    expect(stderr).toContain("2 files: 2 safe, 0 refused, 0 unreadable");
  });

  it("recognises pickles of protocols before 2, which load refuses", async () => {
    writeFileSync(join(folder, "notes"), "cposix\nsystem\n(S'echo'\ntR.");
    writeFileSync(join(folder, "letter"), "(c) 2026, all rights reserved");
    const { code, stdout } = await sda("--all", folder, "--json");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject([{ path: join(folder, "notes") }]);
  });

  it("refuses what torch.load would execute, whatever its name and its end", async () => {
    const files: [string, Buffer | string][] = [
      ["trailing.txt", "cposix\nsystem\n(S'echo'\ntR.and more"],
      ["unfinished.md", "cposix\nsystem\n(S'echo'\ntRHello"],
      ["number.csv", "I1\n0cposix\nsystem\n(S'echo'\ntR."],
      ["inst.log", "(S'echo'\niposix\nsystem\n"],
      ["obj.json", "(cposix\nsystem\nS'echo'\no."],
      ["text.bak", Buffer.concat([Buffer.from("\x8c\x01a0", "latin1"), call("S'echo'\n")])],
      ["framed.dat", Buffer.concat([Buffer.from([0x95, 3, 0, 0, 0, 0, 0, 0, 0]), call("N")])],
      ["import.npz", Buffer.from("\x80\x04\x8c\x05posix\x8c\x06system\x93NNNNNNNNN", "latin1")],
      ["extension", Buffer.from("N0\x82\x01.", "latin1")],
    ];
    for (const [name, content] of files) writeFileSync(join(folder, name), content);
    const { code, stdout } = await sda("--all", folder, "--json");
    expect(code).toBe(1);
    const reports = JSON.parse(stdout) as { path: string; verdict: string; globals: string[] }[];
    expect(reports.map(({ path }) => basename(path))).toEqual(files.map(([name]) => name).sort());
    expect(reports.every(({ verdict }) => verdict === "refused")).toBe(true);
    const named = reports.filter(({ path }) => !/extension|framed/.test(path));
    for (const { globals, path } of named) expect(globals, path).toEqual(["posix.system"]);
  });

  it("calls an archive that PyTorch would unpack by its kind", async () => {
    const tar = Buffer.alloc(1536);
    tar.write("storages");
    const sum = 8 * 32 + tar.reduce((total, byte) => total + byte, 0);
    tar.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    writeFileSync(join(folder, "backup"), tar);
    const { code, stdout } = await sda("--all", folder, "--json");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject([{ verdict: "unreadable", code: "ERR_SDA_FORMAT" }]);
    expect(stdout).toContain("a tar archive");
  });

  it("leaves other files alone, whatever letters they begin with", async () => {
    const texts = ["cat\ndog\nbird\n", "changes\nnone\n", "import os\n", "(c) 2026\n", "N.B.\n"];
    for (const [i, text] of [...texts, "I1\n.", "]."].entries())
      writeFileSync(join(folder, `${i}.txt`), text);
    for (const [i, head] of [
      "RIFF\x24\0\0\0WAVEfmt ",
      "\x89PNG\r\n\x1a\n",
      "\x7fELF",
      "",
    ].entries())
      writeFileSync(join(folder, `${i}.dat`), Buffer.from(head, "latin1"));
    const { code, stderr } = await sda("--all", folder);
    expect(code).toBe(0);
    expect(stderr).toContain("0 files: 0 safe, 0 refused, 0 unreadable; 11 files of other kinds");
  });

  it.runIf(process.platform === "linux")("does not wait for a pipe, linked or not", async () => {
    expect(spawnSync("mkfifo", [join(folder, "pipe")]).status).toBe(0);
    symlinkSync(join(folder, "pipe"), join(folder, "link"));
    copyFileSync(fixture("checkpoints/tiny.pt"), join(folder, "tiny.pt"));
    const { code, stderr } = await sda("--all", folder);
    expect(code).toBe(0);
    expect(stderr).toContain("1 file: 1 safe");
  });

  it("reports a broken link", async () => {
    symlinkSync(join(folder, "nowhere"), join(folder, "link.pt"));
    expect((await sda("--all", folder)).stderr).toContain("1 unreadable");
  });

  it.each([
    ["a file", () => fixture("models/tiny.sda"), "--all must be used with a folder"],
    ["nothing", () => join(folder, "nowhere"), "can't be listed"],
  ])("of %s exits with 2", async (_, path, message) => {
    const { code, stderr } = await sda("--all", path());
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });
});

describe("sda inspect", () => {
  it("gives the verdict on one file", async () => {
    const path = join(folder, "evil.pt");
    writeFileSync(path, evil());
    const { code, stderr } = await sda(path);
    expect(code).toBe(0); // looking is no failure
    expect(stderr).toMatch(/verdict +refused: the file refers to posix\.system/);
    expect(stderr).toContain("  posix.system  ← refused\n");
    const json = JSON.parse((await sda(path, "--json")).stdout);
    expect(json.assessment).toMatchObject({ verdict: "refused", refused: ["posix.system"] });
  });

  it("also shows a model's settings and sliders", async () => {
    const path = fixture("models/tiny.sda");
    const { stderr } = await sda(path);
    expect(stderr).toMatch(/SLIDER +LABEL/);
    expect(stderr).toMatch(/TENSOR +DTYPE/);
    expect(stderr).toMatch(/verdict +safe: the file refers only to plain data/);
    const json = JSON.parse((await sda(path, "--json")).stdout);
    expect(json.model.sliders[0]).toMatchObject({ minStep: -10 });
    expect(json.tensors.length).toBeGreaterThan(57);
  });

  it("of a folder says what is needed", async () => {
    const { code, stderr } = await sda(folder);
    expect(code).toBe(2);
    expect(stderr).toContain(`is a folder; sda inspect --all ${folder}`);
  });
});
