import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { scan } from "../../lib/torch/index.js";
import { SCAN_RULES } from "../../lib/torch/scan-rules.js";
import { toSarif } from "../../lib/torch/scan-sarif.js";
import { sdaError } from "../support/errors.js";
import { fixture } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import { call, global, list, pickle, str } from "../support/pickle-builder.js";
import { fileOf, tensorZip } from "../support/torch-file.js";
import { torchZip } from "../support/zip-builder.js";

const evil = torchZip(pickle(call(global("posix", "system"), str("echo")))).bytes;

/** A folder with a safe file, a refused one below, and a text. */
function someFiles(): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "below"));
  writeFileSync(join(folder, "good.pt"), tensorZip());
  writeFileSync(join(folder, "below", "evil.bin"), evil);
  writeFileSync(join(folder, "notes.txt"), "hello");
  return folder;
}

describe("scan", () => {
  test("reports every file of a folder and its subfolders", async () => {
    const folder = someFiles();
    const report = await scan(folder);
    expect(report).toEqual({
      ok: false,
      counts: { safe: 1, refused: 1, damaged: 0, unreadable: 0, other: 1 },
      files: [
        {
          path: join(folder, "below", "evil.bin"),
          verdict: "refused",
          kind: "a torch file",
          globals: ["posix.system"],
          findings: [
            {
              rule: "runs-command",
              verdict: "refused",
              message: "posix.system runs a shell command",
              global: "posix.system",
            },
          ],
        },
        {
          path: join(folder, "good.pt"),
          verdict: "safe",
          kind: "a torch file",
          globals: [
            "collections.OrderedDict",
            "torch.FloatStorage",
            "torch._utils._rebuild_tensor_v2",
          ],
          findings: [],
        },
        {
          path: join(folder, "notes.txt"),
          verdict: "other",
          kind: "something else",
          globals: [],
          findings: [],
        },
      ],
    });
  });

  test("takes files, folders, URLs and several of them", async () => {
    const folder = someFiles();
    const one = join(folder, "good.pt");
    expect(await scan(pathToFileURL(one))).toMatchObject({ ok: true, counts: { safe: 1 } });
    const done: [number, number][] = [];
    const onProgress = (...progress: [number, number]) => done.push(progress);
    const { files } = await scan([one, join(folder, "below")], { onProgress });
    expect(files.map(({ verdict }) => verdict)).toEqual(["safe", "refused"]);
    expect(done).toEqual([
      [1, 2],
      [2, 2],
    ]);
    expect(await scan([])).toMatchObject({ ok: true, files: [] });
    expect(await scan(fixture("models"))).toMatchObject({ ok: true });
  });

  test("names the file in an archive", async () => {
    const without = (name: string, data: Buffer) =>
      torchZip(pickle(str("x")), {}, { content: { "data.pkl": null, [name]: data } }).bytes;
    const [file] = (await scan(fileOf(without("a.zip", without("b.bin", evil))))).files;
    expect(file).toMatchObject({ verdict: "refused", kind: "a zip archive" });
    expect(file?.findings[0]).toMatchObject({
      global: "posix.system",
      member: "archive/a.zip!archive/b.bin",
    });
  });

  test("shows at most a hundred findings of a file, and keeps the verdict", async () => {
    const names = Array.from({ length: 300 }, (_, i) => global("mycls", `C${i}`));
    const [file] = (await scan(fileOf(pickle(list(...names))))).files;
    expect(file?.globals).toHaveLength(300);
    expect(file?.findings).toHaveLength(101);
    expect(file?.findings.at(-1)?.message).toBe("and 200 more");
    const long = `C${"x".repeat(900)}`;
    const [other] = (await scan(fileOf(pickle(global("mycls", long))))).files;
    expect(other?.findings[0]?.global).toBe(`mycls.${long}`);
    expect(other?.findings[0]?.message.length).toBeLessThan(400);
  });

  test("a link to a file is followed, one to a folder or to nothing is listed", async () => {
    const folder = temporaryFolder();
    const others = someFiles();
    symlinkSync(join(others, "good.pt"), join(folder, "a"));
    symlinkSync(others, join(folder, "b"));
    symlinkSync(join(folder, "nowhere"), join(folder, "c"));
    const { files } = await scan(folder);
    expect(files.map(({ verdict }) => verdict)).toEqual(["safe", "other", "unreadable"]);
    expect(files[1]?.kind).toBe("a link to a folder, not followed");
    expect(files[2]?.findings[0]).toMatchObject({ rule: "not-read", code: "ERR_SDA_NOT_FOUND" });
  });

  test.skipIf(process.getuid?.() === 0 || process.platform === "win32")(
    "what can't be read is a finding",
    async () => {
      const folder = someFiles();
      chmodSync(join(folder, "good.pt"), 0);
      chmodSync(join(folder, "below"), 0);
      const { ok, files } = await scan(folder);
      chmodSync(join(folder, "below"), 0o755);
      expect(ok).toBe(false);
      expect(files.map(({ verdict }) => verdict)).toEqual(["unreadable", "unreadable", "other"]);
    },
  );

  test("refuses wrong arguments, and stops", async () => {
    const missing = join(temporaryFolder(), "nowhere");
    expect((await sdaError(() => scan(missing))).code).toBe("ERR_SDA_NOT_FOUND");
    expect((await sdaError(() => scan([fixture("models"), missing]))).code).toBe(
      "ERR_SDA_NOT_FOUND",
    );
    expect((await sdaError(() => scan("/dev/null"))).code).toBe("ERR_SDA_ARGUMENT");
    expect((await sdaError(() => scan(3 as never))).code).toBe("ERR_SDA_ARGUMENT");
    expect((await sdaError(() => scan(".", { all: true } as never))).code).toBe("ERR_SDA_ARGUMENT");
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(scan(fixture("models"), { signal })).rejects.toThrow("enough");
    const controller = new AbortController();
    const onProgress = () => controller.abort(new Error("later"));
    const { signal: later } = controller;
    await expect(scan(someFiles(), { onProgress, signal: later })).rejects.toThrow("later");
  });
});

const cases = fileURLToPath(new URL("../../../shared/cases/", import.meta.url));

describe.skipIf(!existsSync(cases))("the collected files", () => {
  test("of weights are all safe", async () => {
    const lines = readFileSync(join(cases, "torch/expected.jsonl"), "utf8").trim().split("\n");
    const reads = new Map(
      lines.map((line) => JSON.parse(line)).map(({ file, reads: how }) => [file, how]),
    );
    const { files } = await scan(join(cases, "torch/files"));
    const alarms = files.filter(
      ({ path, verdict }) =>
        verdict !== "safe" && reads.get(path.split(/[/\\]/).at(-1) ?? "") === "weights_only",
    );
    expect(alarms).toEqual([]);
    expect(files.length).toBeGreaterThan(300);
  });

  test("that Python executes are not", async () => {
    const { files } = await scan(join(cases, "sec"));
    const attacks = files.filter(({ path }) => /bypass-[^/\\]*$/.test(path));
    expect(attacks.length).toBeGreaterThan(3);
    for (const { path, verdict } of attacks) expect([path, verdict]).toEqual([path, "refused"]);
  });
});

test("the documentation has each reason", () => {
  const page = readFileSync(new URL("../../doc/scanner.md", import.meta.url), "utf8");
  const [, table = ""] = page.split("## Reasons");
  const [own = ""] = table.split("\n## ");
  const named = [...own.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, rule]) => rule);
  expect(named).toEqual(Object.keys(SCAN_RULES));
});

describe("SARIF", () => {
  const tool = { name: "sda scan", version: "1.2.3", informationUri: "https://example.org/" };
  // biome-ignore lint/suspicious/noExplicitAny: a JSON document
  const sarifOf = async (folder: string, root = folder): Promise<any> =>
    JSON.parse(JSON.stringify(toSarif(await scan(folder), tool, root)));

  test("has the form that code scanning takes", async () => {
    const log = await sarifOf(someFiles());
    expect(Object.keys(log).sort()).toEqual(["$schema", "runs", "version"]);
    expect(log.version).toBe("2.1.0");
    expect(log.$schema).toMatch(/^https:\/\/.*sarif.*2\.1\.0.*\.json$/);
    const [run] = log.runs;
    expect(log.runs).toHaveLength(1);
    const { driver } = run.tool;
    expect(driver).toMatchObject({ name: "sda scan", version: "1.2.3", semanticVersion: "1.2.3" });
    expect(driver.informationUri).toBe("https://example.org/");
    expect(driver.rules.map(({ id }: { id: string }) => id)).toEqual(Object.keys(SCAN_RULES));
    for (const rule of driver.rules) {
      expect(rule.name).toMatch(/^([A-Z][a-z]*)+$/);
      for (const part of [rule.shortDescription, rule.fullDescription, rule.help]) {
        expect(part.text).toMatch(/\.$/);
      }
      expect(rule.help.markdown).toBe(rule.help.text);
      expect(["error", "warning"]).toContain(rule.defaultConfiguration.level);
      expect(Number(rule.properties["security-severity"])).toBeGreaterThan(0);
      expect(Number(rule.properties["security-severity"])).toBeLessThanOrEqual(10);
    }
    expect(run.results).toHaveLength(1);
    const [result] = run.results;
    expect(result).toEqual({
      ruleId: "runs-command",
      ruleIndex: 0,
      level: "error",
      message: { text: "posix.system runs a shell command" },
      locations: [
        {
          physicalLocation: {
            artifactLocation: { uri: "below/evil.bin", uriBaseId: "%SRCROOT%" },
            region: { startLine: 1 },
          },
        },
      ],
      partialFingerprints: { primaryLocationLineHash: expect.stringMatching(/^[0-9a-f]{16}:1$/) },
    });
    for (const one of run.results) expect(driver.rules[one.ruleIndex].id).toBe(one.ruleId);
  });

  test("encodes paths, and tells findings apart", async () => {
    const folder = temporaryFolder();
    const names = ["a b.pt", "ü#?%.pt", "c'(1)!*.pt", "x:y.pt", "\u{1f3b5}.pt"];
    for (const name of names) writeFileSync(join(folder, name), evil);
    const two = pickle(list(global("os", "system"), global("os", "popen")));
    writeFileSync(join(folder, "two.pt"), two);
    const results = (await sarifOf(folder)).runs[0].results;
    // biome-ignore lint/suspicious/noExplicitAny: a JSON document
    const uris = results.map((r: any) => r.locations[0].physicalLocation.artifactLocation.uri);
    for (const uri of uris) expect(uri).toMatch(/^(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})+$/);
    expect(new Set(uris.map(decodeURIComponent))).toEqual(new Set([...names, "two.pt"]));
    const prints = results.map(
      // biome-ignore lint/suspicious/noExplicitAny: a JSON document
      (r: any) => r.partialFingerprints.primaryLocationLineHash,
    );
    expect(new Set(prints).size).toBe(results.length);
    expect(results).toHaveLength(names.length + 2);
  });

  test("is the same for the same files, whatever the folder", async () => {
    const made = () => {
      const folder = someFiles();
      writeFileSync(join(folder, "cut.pt"), tensorZip().subarray(0, 300));
      symlinkSync("nowhere", join(folder, "link"));
      return sarifOf(folder);
    };
    const log = await made();
    expect(log.runs[0].results).toHaveLength(3);
    expect(await made()).toEqual(log);
  });

  test("gives the absolute address of a file outside of the root", async () => {
    const folder = someFiles();
    const log = await sarifOf(folder, temporaryFolder());
    const { artifactLocation } = log.runs[0].results[0].locations[0].physicalLocation;
    expect(artifactLocation).toEqual({ uri: pathToFileURL(join(folder, "below/evil.bin")).href });
  });
});
