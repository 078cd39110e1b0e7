/** The names and commands in doc/migration.md exist. */
import { describe, expect, test } from "vitest";
import { run } from "../../lib/cli/program.js";
import * as main from "../../lib/index.js";
import * as torch from "../../lib/torch/index.js";
import { keepingIo } from "../support/io.js";
import { readTable, readText } from "./tables.js";

const text = readText("doc/migration.md");

/** [name, member or undefined, whether it is in /torch] of each name in a cell. */
function namesIn(cell: string): [string, string | undefined, boolean][] {
  const codes = (cell.includes("`") ? cell : `\`${cell}\``).match(/`[^`]+`/g) ?? [];
  const isTorch = cell.includes("small-dataset-audio/torch");
  return codes.flatMap((code) => {
    const [, name, member] = /^`([A-Za-z]\w*)(?:\.(\w+))?[(`]/.exec(code) ?? [];
    return name === undefined ? [] : [[name, member, isTorch]];
  });
}

function expectThere(cell: string): void {
  for (const [name, member, isTorch] of namesIn(cell)) {
    const exported = readText(isTorch ? "lib/torch/index.ts" : "lib/index.ts");
    expect(exported, name).toMatch(new RegExp(`\\b${name}\\b`));
    if (member === undefined) continue;
    const made = (isTorch ? torch : main)[name as never] as { prototype: object };
    expect(member in made || member in made.prototype, `${name}.${member}`).toBe(true);
  }
}

test("each name of this package exists", () => {
  const rows = readTable(text, "## Names");
  expect(rows.length).toBeGreaterThan(30);
  const ours = rows.map(([, cell = ""]) => cell).filter((cell) => cell !== "its value");
  for (const cell of ours) {
    expect(namesIn(cell).length, cell).toBeGreaterThan(0);
    expectThere(cell);
  }
  const alone = /Without a counterpart in Python are(.*?)\. Training/s.exec(text)?.[1] ?? "";
  expect(namesIn(alone).length).toBe(19);
  expectThere(alone);
});

test("it lists each function that takes a model, a file or a library", () => {
  const missing = [...Object.entries(main), ...Object.entries(torch)]
    .filter(([name, value]) => typeof value === "function" && !text.includes(name))
    .map(([name]) => name);
  // Values that need no counterpart
  expect(missing).toEqual(["wavByteLength", "wavBytes", "Complex", "PyGlobal"]);
});

async function help(...command: string[]): Promise<string> {
  const { io, kept } = keepingIo();
  expect(await run([...command, "--help"], io)).toBe(0);
  return kept.stdout;
}

describe("the command line", () => {
  test("has the options", async () => {
    const shown = await help("generate");
    const rows = readTable(text, "## On the command line", "option");
    expect(rows.length).toBe(10);
    for (const [options = ""] of rows) {
      const names = options.match(/--?[\w-]+/g) ?? [];
      expect(shown).toMatch(new RegExp(`^ +${names.join(", ")} `, "m"));
    }
  });

  test("has the commands", async () => {
    for (const [, command = ""] of readTable(text, "## On the command line", "what")) {
      expect(await help(...command.split(" ").slice(1))).toContain(`Usage: ${command} `);
    }
  });
});
