/**
 * Writes figures into doc/benchmarks.md. The text between `<!-- bench:load -->` and
 * `<!-- /bench:load -->` is generated from the results of the suite `load`.
 */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseResult, type Result } from "./schema.js";
import { SECTIONS, type Section } from "./sections.js";

const NAME = "doc/benchmarks.md";

/**
 * Regenerates the marked sections of a document.
 *
 * @param folder the folder of the results
 * @throws Error when a suite has results but no section, a section has no results, a section's
 *   markers are wrong, or a result is of a quick run
 */
export function withFigures(document: string, folder: string): string {
  return SECTIONS.reduce((text, section) => withSection(text, folder, section), document);
}

function withSection(document: string, folder: string, section: Section): string {
  const [begin, end] = [`<!-- bench:${section.name} -->`, `<!-- /bench:${section.name} -->`];
  const [before = "", ...after] = document.split(begin);
  const [, ...rest] = after.join(begin).split(end);
  if (after.length === 0 && !document.includes(end)) {
    const present = section.suites.filter((suite) => exists(resultFile(folder, suite)));
    if (present.length > 0 && !section.optional)
      throw new Error(`${NAME} has no ${begin} for ${resultFile(folder, section.name)}`);
    return document;
  }
  if (after.length !== 1 || rest.length !== 1 || before.includes(end))
    throw new Error(`${NAME} must have ${begin} once, and ${end} once after it`);
  const text = section.text(...section.suites.map((suite) => fullResult(folder, suite)));
  return `${before}${begin}\n${text}\n${end}${rest[0]}`;
}

function resultFile(folder: string, suite: string): string {
  return join(folder, `${suite}.json`);
}

function exists(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false }) !== undefined;
}

function fullResult(folder: string, suite: string): Result {
  const file = resultFile(folder, suite);
  if (!exists(file))
    throw new Error(`${NAME} has a section for ${suite}, but ${file} does not exist`);
  const result = parseResult(readFileSync(file, "utf8"), file);
  if (result.quick) throw new Error(`${file} is a quick run, whose figures say nothing`);
  return result;
}
