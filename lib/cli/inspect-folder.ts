import { stat } from "node:fs/promises";
import { extname } from "node:path";
import { badArgument } from "../base/check.js";
import { ioError } from "../base/io-error.js";
import { MODEL_SUFFIXES } from "../format/generations.js";
import type { Assessment } from "../torch/assess.js";
import type { ScannedFile } from "../torch/scan.js";
import { Failed, type Io, writeJson } from "./io.js";
import { withProgress } from "./progress.js";
import { colors, plural, printable } from "./text.js";

/** Usual suffixes of checkpoints. A file with one is reported even if it is no checkpoint. */
const EXTENSIONS = new Set<string>([
  ".pt",
  ".pth",
  ".ckpt",
  ".bin",
  ...MODEL_SUFFIXES,
  ".pkl",
  ".pickle",
  ".pk",
  ".p",
  ".th",
  ".tar",
  ".joblib",
  ".model",
]);
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
  const found = await stat(folder).catch((error) => {
    throw ioError(error, folder, `${folder} can't be listed`);
  });
  if (!found.isDirectory()) throw badArgument("--all", "used with a folder", folder);
  const { scan } = await import("../torch/scan.js");
  const { files } = await withProgress(io, "inspecting", (onProgress) =>
    scan(folder, { onProgress, signal: io.signal }),
  );
  const reports = files.flatMap(reportOf);
  const others = files.length - reports.length;
  if (settings.json) writeJson(io, reports);
  else io.stderr.write(text(reports, others, io));
  if (reports.some(({ verdict }) => verdict !== "safe")) throw new Failed();
}

/** Nothing for a file of another kind, which neither is a checkpoint nor claims to be one. */
function reportOf({ path, verdict, kind, globals, findings }: ScannedFile): Report[] {
  if (verdict === "safe") return [{ path, verdict, globals, refused: [] }];
  if (verdict === "refused") {
    const refused = findings.flatMap(({ global }) => global ?? []);
    return [{ path, verdict, globals, refused }];
  }
  const problem = findings.map(({ message }) => message).join("; ");
  if (verdict !== "other") {
    const code = findings.find((finding) => finding.code !== undefined)?.code;
    return [{ path, verdict: "unreadable", code: code ?? "ERR_SDA_FORMAT", problem }];
  }
  if (!EXTENSIONS.has(extname(path).toLowerCase())) return [];
  const what = `it is not a torch.save file; it looks like ${kind}`;
  return [{ path, verdict: "unreadable", code: "ERR_SDA_FORMAT", problem: what }];
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
