import { extname } from "node:path";
import { type Command, Option } from "commander";
import { SdaError } from "../base/errors.js";
import { writeOutput } from "../base/output-file.js";
import { packageManifest } from "../native/package-root.js";
import type { ScanFinding, ScannedFile, ScanReport, ScanVerdict } from "../torch/scan.js";
import { addCommonOptions } from "./common-options.js";
import { Failed, type Io, jsonText } from "./io.js";
import { withProgress } from "./progress.js";
import { colors, plural, printable } from "./text.js";

const examples = (scan: string) => `
Examples:
  ${scan} downloads                     every file in a folder and its subfolders
  ${scan} model.pt others/*.bin         these files
  ${scan} models --sarif -o scan.sarif  findings for code scanning in CI

A file is "safe" if it holds only plain data, and "refused" if loading it in Python could run code.
The content decides, not the name. "other" are files in which Python runs nothing.

Exit code: 0 if no file is refused, damaged or unreadable; 1 if one is; 2 for wrong usage or a path
that does not exist. doc/scanner.md describes JSON and SARIF, and what the scanner does not see.`;

interface Settings {
  json?: boolean;
  sarif?: boolean;
  output?: string;
}

export function addScanCommand(program: Command, io: Io): void {
  const name = `${program.name()} scan`;
  const command = program
    .command("scan")
    .summary("judge whether files are safe to load in Python")
    .description(
      "Judge whether files are safe to load in Python: torch files, pickles, and the files in " +
        "archives. Nothing in a file is executed.",
    )
    .argument("<path...>", "files, and folders, which are searched with their subfolders")
    .addOption(new Option("--sarif", "print the findings as SARIF 2.1.0").conflicts("json"))
    .option(
      "-o, --output <file>",
      "write JSON or SARIF to this file; SARIF also by the suffix .sarif; -: to stdout",
    )
    .addHelpText("after", examples(name))
    .action((paths: string[], settings: Settings) => scanPaths(paths, settings, io, name));
  addCommonOptions(command);
}

/** The version of the JSON form: doc/scanner.md */
const JSON_FORM = 1;

async function scanPaths(paths: string[], settings: Settings, io: Io, name: string): Promise<void> {
  if (settings.output === "") {
    throw new SdaError("ERR_SDA_ARGUMENT", "-o needs the path of a file", { option: "output" });
  }
  const { scan } = await import("../torch/scan.js");
  const report = await withProgress(io, "scanning", (onProgress) =>
    scan(paths, { onProgress, signal: io.signal }),
  );
  const { output } = settings;
  const form = formOf(settings);
  if (form !== null) {
    const text = await formatted(report, form, name);
    if (output === undefined || output === "-") io.stdout.write(text);
    else await writeOutput(output, (append) => append(text), { signal: io.signal });
  }
  if (form === null || (output !== undefined && output !== "-")) io.stderr.write(text(report, io));
  if (!report.ok) throw new Failed();
}

function formOf({ json, sarif, output }: Settings): "json" | "sarif" | null {
  if (sarif) return "sarif";
  if (json) return "json";
  if (output === undefined) return null;
  return extname(output).toLowerCase() === ".sarif" ? "sarif" : "json";
}

async function formatted(
  report: ScanReport,
  form: "json" | "sarif",
  name: string,
): Promise<string> {
  const { version, homepage } = packageManifest();
  if (form === "json") return jsonText({ version: JSON_FORM, ...report });
  const { toSarif } = await import("../torch/scan-sarif.js");
  const tool = { name, version, informationUri: homepage };
  return jsonText(toSarif(report, tool, process.cwd()));
}

const VERDICTS: ScanVerdict[] = ["safe", "refused", "damaged", "unreadable", "other"];
const MARK_WIDTH = 12;

function text({ files, counts }: ScanReport, io: Io): string {
  const lines = files.map((file) => fileText(file, io));
  const all = VERDICTS.map((verdict) => `${counts[verdict]} ${verdict}`);
  return `${lines.join("")}${plural(files.length, "file")}: ${all.join(", ")}\n`;
}

function fileText({ path, verdict, kind, findings }: ScannedFile, io: Io): string {
  const { green, red, yellow, dim } = colors(io.stderr);
  const color = { safe: green, refused: red, damaged: yellow, unreadable: yellow, other: dim };
  const mark = color[verdict](verdict.padEnd(MARK_WIDTH));
  const note = verdict === "other" ? dim(` (${printable(kind)})`) : "";
  const reasons = findings.map((finding) => `${" ".repeat(MARK_WIDTH)}${findingText(finding)}\n`);
  return `${mark}${printable(path)}${note}\n${reasons.join("")}`;
}

function findingText({ rule, message, member }: ScanFinding): string {
  const where = member === undefined ? "" : `, in ${printable(member)}`;
  return `${printable(message)}${where} [${rule}]`;
}
