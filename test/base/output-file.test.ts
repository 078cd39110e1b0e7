import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { writeOutput } from "../../lib/base/output-file.js";
import { processTag } from "../../lib/base/process-tag.js";
import { writeSidecar, writeWav } from "../../lib/index.js";
import { load, save } from "../../lib/torch/index.js";
import { sdaError } from "../support/errors.js";
import { temporaryFolder } from "../support/folder.js";
import { canRun, runScript, startScript } from "../support/script.js";

let folder: string;
let path: string;
beforeEach(() => {
  folder = temporaryFolder();
  path = join(folder, "out");
});

const put = (content: string, to = path, options = {}) =>
  writeOutput(to, (append) => append(content), options);
const mode = (of = path) => statSync(of).mode & 0o777;
const isRoot = process.getuid?.() === 0;

describe("a file", () => {
  it("gets the mode of the umask", async () => {
    const before = process.umask(0o027);
    try {
      await put("new");
    } finally {
      process.umask(before);
    }
    expect(mode()).toBe(0o640);
  });

  it.each([0o600, 0o640, 0o444, 0o755])("of mode %o keeps it when it is replaced", async (of) => {
    writeFileSync(path, "old");
    chmodSync(path, of);
    await put("new");
    expect([readFileSync(path, "utf8"), mode()]).toEqual(["new", of]);
  });

  it.skipIf(!isRoot)("keeps its owner when root replaces it", async () => {
    writeFileSync(path, "old");
    chownSync(path, 7001, 7002);
    await put("new");
    expect(statSync(path)).toMatchObject({ uid: 7001, gid: 7002 });
  });

  it("behind links is replaced in its own folder, and the links stay", async () => {
    mkdirSync(join(folder, "a/b"), { recursive: true });
    const target = join(folder, "a/b/target");
    writeFileSync(target, "old");
    symlinkSync("b/target", join(folder, "a/inner"));
    symlinkSync("a/inner", path);
    await put("new");
    expect(readFileSync(target, "utf8")).toBe("new");
    expect([readlinkSync(path), readlinkSync(join(folder, "a/inner"))]).toEqual([
      "a/inner",
      "b/target",
    ]);
    expect(readdirSync(folder).sort()).toEqual(["a", "out"]);
  });

  it.each(["sound", "torch"])("is made where a link leads that led nowhere: %s", async (kind) => {
    mkdirSync(join(folder, "a"));
    symlinkSync("a/target", path);
    if (kind === "sound") await put("new");
    else await save([1], path);
    expect(lstatSync(path).isSymbolicLink()).toBe(true);
    expect(statSync(join(folder, "a/target")).size).toBeGreaterThan(0);
    if (kind === "torch") expect(await load(path)).toEqual([1]);
  });

  it("is not replaced without overwrite", async () => {
    await put("old", path, { overwrite: false });
    const error = await sdaError(() => put("new", path, { overwrite: false }));
    expect(error).toMatchObject({ code: "ERR_SDA_IO", details: { errno: "EEXIST" } });
    // Another writer may take the name in between.
    const other = join(folder, "other");
    const late = await sdaError(() =>
      writeOutput(
        other,
        async (append) => {
          await append("new");
          writeFileSync(other, "old");
        },
        { overwrite: false },
      ),
    );
    expect(late.details).toMatchObject({ errno: "EEXIST" });
    expect([readFileSync(path, "utf8"), readFileSync(other, "utf8")]).toEqual(["old", "old"]);
    expect(readdirSync(folder).sort()).toEqual(["other", "out"]);
  });
});

describe("what is no file", () => {
  it("a folder, a socket and a circle of links are refused", async () => {
    expect(await sdaError(() => put("new", folder))).toMatchObject({
      code: "ERR_SDA_IO",
      details: { errno: "EISDIR" },
    });
    symlinkSync(path, path);
    expect((await sdaError(() => put("new"))).code).toBe("ERR_SDA_IO");
    expect(readdirSync(folder)).toEqual(["out"]);
  });

  it("a pipe gets the bytes, however slow its reader is, and stays a pipe", async () => {
    execFileSync("mkfifo", [path]);
    const reader = spawn("sh", ["-c", `(sleep 0.3; cat) < "${path}" | wc -c`]);
    let read = "";
    reader.stdout.on("data", (data) => {
      read += data;
    });
    const sound = { audio: [new Float32Array(200_000)], sampleRate: 48_000 };
    let outcome: unknown;
    for (let i = 0; i < 100 && outcome !== null; i++) {
      outcome = await writeWav(path, sound, { bitDepth: 16 }).then(
        () => null,
        (error) => error, // the reader has not opened it yet
      );
      if (outcome !== null) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await once(reader, "close");
    expect(outcome).toBe(null);
    expect(Number(read)).toBe(400_044);
    expect(lstatSync(path).isFIFO()).toBe(true);
    expect(readdirSync(folder)).toEqual(["out"]);
  });

  it("a pipe that nothing reads is refused at once", async () => {
    execFileSync("mkfifo", [path]);
    const error = await sdaError(() => put("new"));
    expect(error).toMatchObject({ code: "ERR_SDA_IO", details: { errno: "ENXIO" } });
    expect(error.message).toContain("nothing reads it");
    expect((await sdaError(() => save(1, path))).code).toBe("ERR_SDA_ARGUMENT");
    expect(lstatSync(path).isFIFO()).toBe(true);
  });

  it("a full pipe can be left by its signal", async () => {
    execFileSync("mkfifo", [path]);
    const reader = spawn("sh", ["-c", `echo ready; sleep 60 < "${path}"`]);
    await once(reader.stdout, "data");
    const controller = new AbortController();
    const sound = { audio: [new Float32Array(200_000)], sampleRate: 48_000 };
    const { signal } = controller;
    setTimeout(() => controller.abort(new Error("enough")), 300);
    let outcome: Error & { code?: string };
    do {
      outcome = await writeWav(path, sound, { signal }).catch((error) => error);
    } while (outcome.code === "ERR_SDA_IO" && !signal.aborted);
    expect(outcome.message).toBe("enough");
    reader.kill("SIGKILL");
  });

  it("standard output is written to as it is: a file, a pipe or a device", () => {
    const script = `
      const { writeWav } = await import(LIB);
      console.log("before");
      await writeWav("/dev/stdout", { audio: [new Float32Array(10)], sampleRate: 8000 });
      await writeWav("/dev/null", { audio: [new Float32Array(10)], sampleRate: 8000 });
      console.log("after");`;
    const begins = /^before\nRIFF/;
    const piped = runScript(script);
    expect(piped).toMatch(begins);
    expect(piped).toMatch(/after$/);
    const printed = runScript(script, { under: ["sh", "-c", `"$@" > "${path}"`, "sh"] });
    expect(printed).toBe("");
    const text = readFileSync(path, "latin1");
    expect(text).toMatch(begins);
    expect(text).toMatch(/after\n$/);
    expect(statSync("/dev/null").isCharacterDevice()).toBe(true);
  });

  it("a device has no place for a sidecar beside it", async () => {
    const sound = {} as Parameters<typeof writeSidecar>[1];
    const model = {} as Parameters<typeof writeSidecar>[2];
    const error = await sdaError(() => writeSidecar("/dev/null", sound, model));
    expect(error.code).toBe("ERR_SDA_ARGUMENT");
    expect(existsSync("/dev/null.json")).toBe(false);
  });

  const inNamespace = canRun("a /dev of one's own needs root and unshare", "unshare", "-m", "true");
  it.skipIf(!inNamespace)("a device stays one, and a mounted file is refused, for root too", () => {
    const dev = join(folder, "dev");
    mkdirSync(dev);
    const prepare = `mount --make-rprivate / && mount -t tmpfs none "${dev}" &&
      cp -a /dev/null /dev/zero /dev/full "${dev}" && mknod "${dev}/disk" b 7 200 &&
      echo old > "${dev}/host.wav" && touch "${dev}/bound.wav" &&
      mount --bind "${dev}/host.wav" "${dev}/bound.wav" && exec "$@"`;
    const script = `
      const { writeWav } = await import(LIB);
      const { save } = await import(new URL("./torch/index.js", LIB));
      const { lstatSync, readdirSync } = await import("node:fs");
      const sound = { audio: [new Float32Array(10)], sampleRate: 8000 };
      for (const name of ["null", "full", "disk", "bound.wav"]) {
        for (const write of [(path) => writeWav(path, sound), (path) => save(1, path)]) {
          const outcome = await write("${dev}/" + name).then(() => "written", (e) => e.code);
          const found = lstatSync("${dev}/" + name);
          const kind = found.isCharacterDevice() ? "c" : found.isBlockDevice() ? "b" : "f";
          console.log(name, outcome, kind);
        }
      }
      console.log(readdirSync("${dev}").sort().join(" "));`;
    const under = ["unshare", "-m", "sh", "-c", prepare, "sh"];
    expect(runScript(script, { under }).split("\n")).toEqual([
      "null written c",
      "null ERR_SDA_ARGUMENT c",
      "full ERR_SDA_IO c",
      "full ERR_SDA_ARGUMENT c",
      "disk ERR_SDA_IO b",
      "disk ERR_SDA_ARGUMENT b",
      "bound.wav ERR_SDA_IO f",
      "bound.wav ERR_SDA_IO f",
      "bound.wav disk full host.wav null zero",
    ]);
  });
});

describe("temporary files", () => {
  const temporary = () => readdirSync(folder).filter((name) => name.endsWith(".tmp"));
  const endless = (to: string) => `
    const { writeOutput } = await import(new URL("./base/output-file.js", LIB));
    await writeOutput(${JSON.stringify(to)}, async (append) => {
      await append("part");
      console.log("writing");
      await new Promise((resolve) => setTimeout(resolve, 60_000));
    });`;

  it("of a killed process are removed by the next one, those of living ones are not", async () => {
    const [killed, living] = [startScript(endless(path)), startScript(endless(path))];
    for (const child of [killed, living]) await once(child.stdout as NodeJS.ReadableStream, "data");
    expect(temporary()).toHaveLength(2);
    killed.kill("SIGKILL");
    await once(killed, "close");
    await put("new");
    expect(temporary()).toHaveLength(1);
    living.kill("SIGKILL");
    await once(living, "close");
    // A process looks once into each folder. `save` clears what writers of sound have left, too.
    const saving = `await (await import(new URL("./torch/index.js", LIB))).save(1, "${path}.pt");`;
    expect(runScript(saving)).toBe("");
    expect(readdirSync(folder).sort()).toEqual(["out", "out.pt"]);
  });

  it("of `save` are removed by the next `save`", async () => {
    writeFileSync(join(folder, ".sda-1-2-3.tmp"), "");
    await save(1, path);
    expect(temporary()).toEqual([]);
  });

  it("of other machines and of unknown programs are left alone", async () => {
    const { pid, start } = processTag();
    const names = [
      `.sda-00000000-${pid}-${start}-0123456789ab.tmp`,
      ".sda-1-0123456789ab.tmp",
      ".sda-notes.tmp",
    ];
    for (const name of names) writeFileSync(join(folder, name), "");
    await put("new");
    expect(readdirSync(folder).sort()).toEqual([...names, basename(path)].sort());
  });
});
