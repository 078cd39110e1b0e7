/** README's figures: what stands between `<!-- bench:load -->` and `<!-- /bench:load -->` is made of the results of `load`. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { SECTIONS, type Section } from "./readme-sections.js";
import { parseResult, type Result } from "./schema.js";

/**
 * README with its marked sections made anew.
 *
 * @param folder of the results
 * @throws Error when a suite that has results has no section, a section has no results, or one of the two isn't fit
 */
export function withFigures(readme: string, folder: string): string {
  return SECTIONS.reduce((text, section) => withSection(text, folder, section), readme);
}

function withSection(readme: string, folder: string, section: Section): string {
  const [begin, end] = [`<!-- bench:${section.name} -->`, `<!-- /bench:${section.name} -->`];
  const [before = "", ...after] = readme.split(begin);
  const [, ...rest] = after.join(begin).split(end);
  if (after.length === 0 && !readme.includes(end)) {
    const there = section.suites.filter((suite) => isThere(resultFile(folder, suite)));
    if (there.length > 0 && !section.optional)
      throw new Error(`README.md has no ${begin} for ${resultFile(folder, section.name)}`);
    return readme;
  }
  if (after.length !== 1 || rest.length !== 1 || before.includes(end))
    throw new Error(`README.md must have ${begin} once, and once after it ${end}`);
  const text = section.text(...section.suites.map((suite) => fullResult(folder, suite)));
  return `${before}${begin}\n${text}\n${end}${rest[0]}`;
}

function resultFile(folder: string, suite: string): string {
  return join(folder, `${suite}.json`);
}

function isThere(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false }) !== undefined;
}

function fullResult(folder: string, suite: string): Result {
  const file = resultFile(folder, suite);
  if (!isThere(file))
    throw new Error(`README.md has figures of ${suite}, and ${file} is not there`);
  const result = parseResult(readFileSync(file, "utf8"), file);
  if (result.quick) throw new Error(`${file} is of a quick run: it shows that all works, no speed`);
  return result;
}
