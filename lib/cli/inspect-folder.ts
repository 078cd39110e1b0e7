import { constants } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { badArgument } from "../base/check.js";
import { SdaError } from "../base/errors.js";
import { ioError } from "../base/io-error.js";
import type { Assessment } from "../torch/assess.js";
import { Failed, type Io, writeJson } from "./io.js";
import { withProgress } from "./progress.js";
import { colors, plural, printable } from "./text.js";

/** Usual suffixes of checkpoints. A file with one is reported even if it is no checkpoint. */
const EXTENSIONS = new Set([
  ".pt",
  ".pth",
  ".ckpt",
  ".bin",
  ".sda",
  ".pkl",
  ".pickle",
  ".pk",
  ".p",
  ".th",
  ".tar",
  ".joblib",
  ".model",
]);
const ZIP = Buffer.from("PK\x03\x04", "latin1");
const PICKLE_PROTO = 0x80;
const NEWEST_PROTOCOL = 5;

type Report = { path: string } & (
  | { verdict: Assessment["verdict"]; globals: string[]; refused: string[] }
  | { verdict: "unreadable"; code: string; problem: string }
);

/**
 * Inspects each torch.save file in a folder and its subfolders: reports its Python names and
 * whether it holds only data.
 */
export async function inspectFolder(
  folder: string,
  settings: { json?: boolean },
  io: Io,
): Promise<void> {
  const reports: Report[] = [];
  const paths = await filesIn(folder, reports);
  let others = 0;
  await withProgress(io, "inspecting", async (update) => {
    for (const [i, path] of paths.entries()) {
      io.signal.throwIfAborted();
      const report = await examine(path, io);
      if (report) reports.push(report);
      else others++;
      update(i + 1, paths.length);
    }
  });
  if (settings.json) writeJson(io, reports);
  else io.stderr.write(text(reports, others, io));
  if (reports.some(({ verdict }) => verdict !== "safe")) throw new Failed();
}

/**
 * The files in a folder and its subfolders, sorted.
 *
 * @param reports gets a report for each subfolder that can't be listed
 */
async function filesIn(top: string, reports: Report[]): Promise<string[]> {
  const files: string[] = [];
  const folders = [top];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    try {
      if (folder === top && !(await stat(top)).isDirectory()) {
        throw badArgument("--all", "used with a folder", top);
      }
      for (const entry of await readdir(folder, { withFileTypes: true })) {
        const path = join(folder, entry.name);
        if (entry.isDirectory()) folders.push(path);
        else if (entry.isFile() || entry.isSymbolicLink()) files.push(path);
      }
    } catch (error) {
      const problem = ioError(error, folder, `${folder} can't be listed`);
      if (folder === top || !(problem instanceof SdaError)) throw problem;
      reports.push(unreadable(folder, problem));
    }
  }
  return files.sort();
}

function unreadable(path: string, { code, message }: SdaError): Report {
  return { path, verdict: "unreadable", code, problem: message };
}

/**
 * Judges a file by its content: `torch.load` looks at no suffix.
 *
 * @returns null for a file of another kind, which neither is a checkpoint nor claims to be one
 */
async function examine(path: string, io: Io): Promise<Report | null> {
  const { inspect, assess } = await import("../torch/index.js");
  if (!isCheckpointName(path) && !(await isRegularFile(path))) return null;
  try {
    const found = await inspect(path, { signal: io.signal });
    const { verdict, refused } = assess(found);
    return { path, verdict, globals: found.globals, refused };
  } catch (error) {
    if (!(error instanceof SdaError)) throw error;
    if (error.code === "ERR_SDA_FORMAT") return await examineOther(path, error, io);
    return unreadable(path, error);
  }
}

/** Judges what is no torch file: Python may execute it all the same. */
async function examineOther(path: string, error: SdaError, io: Io): Promise<Report | null> {
  const { scanPickle } = await import("../torch/scan-pickle.js");
  const { executes, globals } = await scanPickle(path, io.signal);
  if (executes) return { path, verdict: "refused", globals, refused: globals };
  const claims = isCheckpointName(path) || error.details?.["found"] === TAR;
  return claims || (await startsLikeOne(path)) ? unreadable(path, error) : null;
}

/** What the reader calls a tar archive. PyTorch unpickles what it finds in one. */
const TAR = "a tar archive";

const isCheckpointName = (path: string) => EXTENSIONS.has(extname(path).toLowerCase());

/** Also true of what can't be looked up, unless it is a broken link. */
async function isRegularFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    (error) => error.code !== "ENOENT",
  );
}

async function startsLikeOne(path: string): Promise<boolean> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const { buffer } = await file.read(Buffer.alloc(ZIP.length), 0, ZIP.length, 0);
  const [first, second = 0] = buffer;
  return buffer.equals(ZIP) || (first === PICKLE_PROTO && second <= NEWEST_PROTOCOL);
}

function text(reports: readonly Report[], others: number, io: Io): string {
  const { green, red, yellow, dim } = colors(io.stderr);
  const lines = reports.flatMap((report) => {
    if (report.verdict === "unreadable") {
      return [
        `${yellow("unreadable")}  ${printable(report.path)}\n`,
        `            ${printable(report.problem)} (${report.code})\n`,
      ];
    }
    const { verdict, path, globals, refused } = report;
    const bad = new Set(refused);
    const mark = verdict === "safe" ? green("safe      ") : red("refused   ");
    const names = globals.map((name) =>
      bad.has(name)
        ? `            ${red(printable(name))}\n`
        : dim(`            ${printable(name)}\n`),
    );
    return [`${mark}  ${printable(path)}\n`, ...names];
  });
  const count = (verdict: Report["verdict"]) =>
    reports.filter((report) => report.verdict === verdict).length;
  const counts = (["safe", "refused", "unreadable"] as const).map((v) => `${count(v)} ${v}`);
  const rest = others > 0 ? `; ${plural(others, "file")} of other kinds` : "";
  lines.push(`${plural(reports.length, "file")}: ${counts.join(", ")}${rest}\n`);
  return lines.join("");
}
