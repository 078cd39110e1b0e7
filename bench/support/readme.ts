/** README's figures: what stands between `<!-- bench:load -->` and `<!-- /bench:load -->` is made of the results of `load`. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { SECTIONS, type Section } from "./readme-sections.js";
import { parseResult } from "./schema.js";

/**
 * README with its marked sections made anew.
 *
 * @param folder of the results
 * @throws Error when a suite that has results has no section, a section has no results, or one of the two isn't fit
 */
export function withFigures(readme: string, folder: string): string {
  return SECTIONS.reduce((text, section) => withSection(text, folder, section), readme);
}

function withSection(readme: string, folder: string, { suite, text }: Section): string {
  const [begin, end] = [`<!-- bench:${suite} -->`, `<!-- /bench:${suite} -->`] as const;
  const file = join(folder, `${suite}.json`);
  const parts = readme.split(begin);
  const rest = parts[1]?.split(end);
  const whole = parts.length === 2 && rest?.length === 2 && !parts[0]?.includes(end);
  if (!whole && (parts.length > 1 || readme.includes(end)))
    throw new Error(`README.md must have ${begin} once, and once after it ${end}`);
  if (statSync(file, { throwIfNoEntry: false }) === undefined) {
    if (whole) throw new Error(`README.md has ${begin}, and ${file} is not there`);
    return readme;
  }
  if (!whole) throw new Error(`README.md has no ${begin} for ${file}`);
  const result = parseResult(readFileSync(file, "utf8"), file);
  if (result.quick) throw new Error(`${file} is of a quick run: it shows that all works, no speed`);
  return `${parts[0]}${begin}\n${text(result)}\n${end}${rest?.[1]}`;
}
