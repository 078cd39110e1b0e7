// tsx scripts/workflows.ts [FILE...]: checks GitHub workflows and actions, by default all of
// .github/workflows and action.yml. GitHub's language service checks syntax, keys and expressions.
// The rest are this project's rules.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { validate } from "@actions/languageservice";
import { TextDocument } from "vscode-languageserver-textdocument";
import { parse } from "yaml";
import { packageRoot } from "../lib/native/package-root.js";
import { BuildError, mainProgram, say } from "./lib/process.js";

const FOLDER = join(packageRoot, ".github/workflows");
const ACTION = "action.yml";
const npmScripts = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")).scripts;

/** A YAML mapping as it comes, before anything is known of it. */
type Mapping = Record<string, unknown>;

async function problemsOf(file: string): Promise<string[]> {
  const text = readFileSync(file, "utf8");
  const document = TextDocument.create(pathToFileURL(file).href, "yaml", 1, text);
  const found = await validate(document);
  const problems = found.map(({ range, message }) => `${range.start.line + 1}: ${message}`);
  // What GitHub does not accept has no certain structure.
  if (problems.length > 0) return problems;
  const content = parse(text) as Mapping;
  const structure = basename(file) === ACTION ? actionProblems : structureProblems;
  return [...structure(content), ...lineProblems(text.split("\n"))];
}

/** An expression in a script could be a command of whoever gives the input. */
function actionProblems(action: Mapping): string[] {
  const { steps = [] } = action["runs"] as { steps?: Mapping[] };
  return steps.flatMap(({ run }) =>
    String(run ?? "").includes("${{")
      ? ["1: an expression in a script: pass it as a variable, by env"]
      : [],
  );
}

function structureProblems(workflow: Mapping): string[] {
  const problems: string[] = [];
  if (workflow["permissions"] === undefined) problems.push("1: no permissions for the workflow");
  if (workflow["concurrency"] === undefined) problems.push("1: no concurrency group");
  for (const [name, job] of Object.entries(workflow["jobs"] as Record<string, Mapping>))
    if (job["uses"] === undefined && job["timeout-minutes"] === undefined)
      problems.push(`1: the job ${name} has no timeout-minutes`);
  return problems;
}

function lineProblems(lines: string[]): string[] {
  const problems: string[] = [];
  for (const [i, line] of lines.entries()) {
    const report = (problem: string) => problems.push(`${i + 1}: ${problem}`);
    const uses = /^\s*(?:- )?uses: (\S+)/.exec(line)?.[1];
    if (uses && !/^\.\/|@(v\d+|[\da-f]{40})$/.test(uses))
      report(`${uses}: an action is pinned by @v1 (its major version) or by a commit`);
    const isExplained = line.includes("#") || /^\s*#/.test(lines[i - 1] ?? "");
    if (/^\s*continue-on-error: (?!false)/.test(line) && !isExplained)
      report("continue-on-error needs a comment with the reason, here or above");
    if (/^\s*#/.test(line)) continue;
    for (const [, name = ""] of line.matchAll(/\bnpm run ([\w:-]+)/g))
      if (!(name in npmScripts)) report(`package.json has no script ${name}`);
    for (const [, path = ""] of line.matchAll(/(?<![\w/.])(?:\.\/)?((?:scripts|\.ci)\/[\w./-]+)/g))
      if (!existsSync(join(packageRoot, path))) report(`there is no ${path}`);
  }
  return problems;
}

await mainProgram(async () => {
  const named = process.argv.slice(2);
  const own = readdirSync(FOLDER).map((name) => join(FOLDER, name));
  const files = named.length > 0 ? named : [...own, join(packageRoot, ACTION)];
  let count = 0;
  for (const file of files)
    for (const problem of await problemsOf(file)) {
      say(`${file}:${problem}`);
      count++;
    }
  if (count > 0) throw new BuildError(`${count} problem(s) in the workflows`);
});
