/** A scan's findings as SARIF 2.1.0, which code scanning of repositories shows. */
import { createHash } from "node:crypto";
import { isAbsolute, relative, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";
import type { ScanFinding, ScanReport } from "./scan.js";
import { SCAN_RULES, type ScanRule, type ScanRuleText } from "./scan-rules.js";

/** The program that scans. */
export interface ScanTool {
  name: string;
  version: string;
  /** Its page */
  informationUri?: string | undefined;
}

const RULES = Object.entries(SCAN_RULES) as [ScanRule, ScanRuleText][];
const IDS = RULES.map(([id]) => id);
/** Of the folder to which paths are relative; the usual name of a repository's root. */
const ROOT = "%SRCROOT%";
const FINGERPRINT_DIGITS = 16;

/**
 * Formats a report as SARIF. Only findings are results; the log has no local paths and no times, so
 * equal scans give equal logs.
 *
 * @param root the folder to which the paths are relative
 */
export function toSarif(report: ScanReport, tool: ScanTool, root: string): object {
  const results = report.files.flatMap(({ path, findings }) => {
    const seen = new Map<string, number>();
    return findings.map((finding) => resultOf(artifactAt(path, root), finding, seen));
  });
  const { name, version, informationUri } = tool;
  const driver = {
    name,
    version,
    semanticVersion: version,
    ...(informationUri !== undefined && { informationUri }),
    rules: RULES.map(([id, rule]) => ruleOf(id, rule)),
  };
  const run = {
    tool: { driver },
    invocations: [{ executionSuccessful: true }],
    results,
    columnKind: "utf16CodeUnits",
  };
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [run],
  };
}

function ruleOf(id: ScanRule, { title, help, severity }: ScanRuleText) {
  return {
    id,
    name: id.replace(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase()),
    shortDescription: { text: `${title}.` },
    fullDescription: { text: help },
    help: { text: help, markdown: help },
    defaultConfiguration: { level: levelOf(id) },
    properties: {
      tags: ["security"],
      precision: "high",
      "security-severity": severity.toFixed(1),
    },
  };
}

/** As a finding's verdict would say. */
function levelOf(rule: ScanRule): "error" | "warning" {
  return rule === "not-read" ? "warning" : "error";
}

type Artifact = { uri: string; uriBaseId?: string };

function resultOf(artifact: Artifact, finding: ScanFinding, seen: Map<string, number>) {
  const { rule, message, member } = finding;
  const text = member === undefined ? message : `${message} (in ${member} of the archive)`;
  const key = [artifact.uri, rule, finding.global ?? message, member ?? ""].join("\0");
  const hash = createHash("sha256").update(key).digest("hex").slice(0, FINGERPRINT_DIGITS);
  const count = (seen.get(hash) ?? 0) + 1;
  seen.set(hash, count);
  return {
    ruleId: rule,
    ruleIndex: IDS.indexOf(rule),
    level: levelOf(rule),
    message: { text: wellFormed(text) },
    // A file that is no text has no lines, but viewers want one.
    locations: [{ physicalLocation: { artifactLocation: artifact, region: { startLine: 1 } } }],
    partialFingerprints: { primaryLocationLineHash: `${hash}:${count}` },
  };
}

/** A relative URI below `root`; an absolute one elsewhere. */
function artifactAt(path: string, root: string): Artifact {
  const absolute = resolve(root, path);
  const below = relative(root, absolute);
  const isBelow = below !== "" && !isAbsolute(below) && below.split(sep)[0] !== "..";
  if (!isBelow) return { uri: pathToFileURL(wellFormed(absolute)).href };
  const uri = below.split(sep).map(encoded).join("/");
  return { uri, uriBaseId: ROOT };
}

/** A segment of a path, in which also the characters that encodeURIComponent leaves are encoded. */
function encoded(segment: string): string {
  return encodeURIComponent(wellFormed(segment)).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Half of a surrogate pair, which UTF-8 can't represent, becomes U+FFFD. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}
