/** CHANGELOG.md: its form, which `npm run lint` checks, and the notes of one release. */
import semver from "semver";
import { BuildError } from "./process.js";

const GROUPS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];
/** In place of the date while a version is being prepared. */
export const NOT_RELEASED = "unreleased";

interface Section {
  /** A version, or "Unreleased". */
  name: string;
  date: string | undefined;
  /** Where the heading is, from 1. */
  line: number;
  lines: string[];
}

/**
 * What is wrong with a changelog, one sentence each.
 * @param version package.json's; it must have a section
 */
export function changelogProblems(text: string, version: string): string[] {
  const { sections, problems } = parse(text);
  const [first, ...versions] = sections;
  if (first?.name !== "Unreleased") problems.push("the first section must be [Unreleased]");
  for (const [i, section] of versions.entries()) {
    const previous = versions[i - 1];
    if (section.name === "Unreleased") {
      problems.push(`line ${section.line}: a second [Unreleased]`);
      continue;
    }
    if (previous && semver.valid(previous.name) && !semver.gt(previous.name, section.name))
      problems.push(`line ${section.line}: [${section.name}] must be older than the one above it`);
    if (!section.lines.some((line) => line.startsWith("- ")))
      problems.push(`line ${section.line}: [${section.name}] has no entry`);
    if (section.date === NOT_RELEASED && previous)
      problems.push(`line ${section.line}: only the newest version can be unreleased`);
  }
  for (const section of sections) problems.push(...groupProblems(section));
  if (!sections.some((section) => section.name === version))
    problems.push(`package.json's version has no section: ## [${version}] - ${NOT_RELEASED}`);
  return problems;
}

/**
 * The section of one version, without its heading.
 * @throws BuildError when the changelog has no such section, or the section has no date yet
 */
export function releaseNotes(text: string, version: string): string {
  const section = parse(text).sections.find(({ name }) => name === version);
  if (!section) throw new BuildError(`CHANGELOG.md has no section [${version}]`);
  if (section.date === NOT_RELEASED)
    throw new BuildError(`CHANGELOG.md: [${version}] needs the date of its release`);
  return section.lines.join("\n").trim();
}

function parse(text: string): { sections: Section[]; problems: string[] } {
  const problems: string[] = [];
  const sections: Section[] = [];
  const lines = text.split("\n");
  if (lines[0] !== "# Changelog") problems.push("line 1 must be: # Changelog");
  for (const [i, line] of lines.entries()) {
    const number = i + 1;
    if (line.startsWith("## ")) {
      const heading = /^## \[([^\]]+)\](?: - (\S+))?$/.exec(line);
      const [, name = "", date] = heading ?? [];
      if (name === "Unreleased" ? date !== undefined : !semver.valid(name) || !isDate(date))
        problems.push(
          `line ${number}: not "## [Unreleased]", "## [1.2.3] - 2030-12-31" or ` +
            `"## [1.2.3] - ${NOT_RELEASED}": ${line}`,
        );
      else sections.push({ name, date, line: number, lines: [] });
    } else if (i > 0 && /^# /.test(line)) {
      problems.push(`line ${number}: a second title`);
    } else if (!/^\[[^\]]+\]: \S+$/.test(line)) {
      sections.at(-1)?.lines.push(line);
    }
  }
  return { sections, problems };
}

function groupProblems({ lines, line }: Section): string[] {
  const problems: string[] = [];
  const seen = new Map<string, number>();
  let group: string | undefined;
  for (const [i, text] of lines.entries()) {
    const number = line + 1 + i;
    if (text.startsWith("### ")) {
      group = text.slice(4);
      if (!GROUPS.includes(group))
        problems.push(`line ${number}: "${group}" is none of ${GROUPS.join(", ")}`);
      if (seen.has(group)) problems.push(`line ${number}: a second "${group}" in this section`);
      seen.set(group, 0);
    } else if (text.startsWith("- ")) {
      if (group === undefined)
        problems.push(`line ${number}: an entry above the first group (### Added, …)`);
      else seen.set(group, (seen.get(group) ?? 0) + 1);
    }
  }
  for (const [name, entries] of seen)
    if (entries === 0) problems.push(`line ${line}: the group "${name}" has no entry`);
  return problems;
}

function isDate(text: string | undefined): boolean {
  if (text === NOT_RELEASED) return true;
  if (text === undefined || !/^\d{4}-\d\d-\d\d$/.test(text)) return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}
