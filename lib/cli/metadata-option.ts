import { InvalidArgumentError } from "commander";

/** Parses NAME=TEXT and adds it to the texts given before. */
export function parseMetadata(
  text: string,
  before: Record<string, string> = {},
): Record<string, string> {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) {
    throw new InvalidArgumentError("Expected NAME=TEXT.");
  }
  return Object.fromEntries([...Object.entries(before), [name, value]]);
}
