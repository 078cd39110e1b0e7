/** Every exported function, class and constant has an example, and every example runs. */
import { execFile } from "node:child_process";
import { cpSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { ModelLibrary } from "../../lib/index.js";
import { engineBuilt, NO_SERVER, packageBuilt, serverBuilt } from "../support/native.js";
import { needs } from "../support/needs.js";
import { type Example, moduleExports } from "./api-exports.js";
import { fixture, root } from "./tables.js";
import { workplace } from "./workplace.js";

const modules = moduleExports();
const isServerThere = needs(serverBuilt, NO_SERVER);

/** An example that uses one of these names needs the engine. */
const ENGINE = ["ModelCache", "configureEngine", "loadModel", "resample"];

/** The result of an example from example-runner.mjs. */
interface Outcome {
  error: string | null;
  /** Line of code → the first text that it logged */
  printed: Record<string, string>;
}

describe.each(modules.map((one) => [one.module, one] as const))("%s", (module, exported) => {
  const { values, withoutExample, notCode, examples } = exported;

  test("each exported value has an example", () => {
    expect(values).not.toEqual([]);
    expect(withoutExample).toEqual([]);
  });

  test("each example is one block of JavaScript", () => expect(notCode).toEqual([]));

  const canRun = ({ code }: Example) => engineBuilt || usedNames(code, ENGINE).length === 0;
  const isBuilt = packageBuilt && (module !== "small-dataset-audio-server" || isServerThere);

  describe.skipIf(!isBuilt)("examples", () => {
    let outcomes: Map<string, Outcome>;
    beforeAll(async () => {
      outcomes = await run(examples.filter(canRun), module);
    }, 240_000);

    for (const example of examples) {
      const { title, code } = example;
      test.skipIf(!canRun(example))(title, () => check(code, outcomes.get(title)));
    }
  });
});

test.skipIf(!packageBuilt)("the check finds errors and wrong output", async () => {
  const codes = {
    throws: 'await readMetadata("missing.sda");\n',
    "logs something else": "console.log(1 + 1); // 3\n",
    "logs nothing": "if (1 > 2) console.log(1); // 1\n",
    right: "console.log(1 + 1); // 2, the sum\n",
  };
  const examples = Object.entries(codes).map(([title, code]) => ({ title, code }));
  const outcomes = await run(examples, "small-dataset-audio");
  const checked = (title: keyof typeof codes) => () => check(codes[title], outcomes.get(title));
  expect(checked("throws")).toThrow("ERR_SDA_NOT_FOUND");
  expect(checked("logs something else")).toThrow("line 1 logs 2, not 3");
  expect(checked("logs nothing")).toThrow("line 1 logs undefined, not 1");
  expect(checked("right")).not.toThrow();
});

/** Runs the examples in one process. Each finds the exports of all modules under their names. */
async function run(examples: Example[], module: string): Promise<Map<string, Outcome>> {
  const folder = workplace("small-dataset-audio-server", "fastify");
  const given = join(folder, "given");
  await fill(given);
  const files = examples.map(({ code }, i) => {
    const file = join(folder, `example-${i}.mjs`);
    writeFileSync(file, `${imports(code, module)}${code}`);
    return file;
  });
  const runner = join(root, "test/docs/example-runner.mjs");
  const ended = await promisify(execFile)(process.execPath, [runner, given, ...files], {
    timeout: 200_000,
  });
  expect(ended.stderr).toBe("");
  const lines = ended.stdout.trim().split("\n");
  return new Map(lines.map((line, i) => [(examples[i] as Example).title, JSON.parse(line)]));
}

/** Creates the files in the working directory of each example. */
async function fill(folder: string): Promise<void> {
  const library = await ModelLibrary.open(join(folder, "data/models"), { create: true });
  const plucks = join(root, "assets/models/synthetic-plucks.sda");
  await library.import(plucks, { metadata: { name: "Pads" } });
  const { modelId } = await library.import(fixture("models/tiny.sda"), {
    metadata: { name: "Kitchen" },
  });
  await library.update(modelId, { name: "Kitchen Drums" });
  // Files that are not in the library's index
  cpSync(plucks, join(folder, "data/models/bells.sda"));
  cpSync(fixture("models/tiny-prior.distill"), join(folder, "data/models/grid.distill"));
  expect(readdirSync(join(folder, "data/models"))).toEqual(
    expect.arrayContaining(["kitchen.sda", "model_library.json", "pads.sda"]),
  );
  const others = await ModelLibrary.open(join(folder, "others"), { create: true });
  await others.import(fixture("models/tiny.distill"), { metadata: { name: "Rain" } });
  renameSync(join(folder, "others/rain.distill"), join(folder, "rain.distill"));
  cpSync(fixture("checkpoints/tiny.pt"), join(folder, "checkpoint.pt"));
  cpSync(fixture("torch/module.pt"), join(folder, "model.pt"));
}

/**
 * Imports of the exported names that the code uses, each from the example's own module if that has
 * it. They are on the first line of the code, so that its lines keep their numbers.
 */
function imports(code: string, module: string): string {
  const own = modules.filter((one) => one.module === module);
  const imported = new Set<string>();
  return [...own, ...modules]
    .map((from) => {
      const used = usedNames(code, from.values).filter((name) => !imported.has(name));
      for (const name of used) imported.add(name);
      return used.length === 0 ? "" : `import { ${used.join(", ")} } from "${from.module}"; `;
    })
    .join("");
}

/** The known names that the code uses, except as a property. */
function usedNames(code: string, known: readonly string[]): string[] {
  return known.filter((name) => new RegExp(`(?<![.\\w])${name}\\b`).test(code));
}

/** An example must run to its end. Each line must log the text in its comment. */
function check(code: string, outcome: Outcome | undefined): void {
  if (outcome === undefined) throw new Error("the process ended before this example did");
  if (outcome.error !== null) throw new Error(outcome.error);
  code.split("\n").forEach((line, i) => {
    const [, comment] = /console\.log\(.*\); \/\/ (.*)/.exec(line) ?? [];
    if (comment === undefined) return;
    const text = outcome.printed[i + 1];
    // After a comma, the comment may explain the output.
    if (comment === text || comment.startsWith(`${text}, `)) return;
    throw new Error(`line ${i + 1} logs ${text}, not ${comment}`);
  });
}
