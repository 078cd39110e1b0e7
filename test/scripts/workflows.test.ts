import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { packageRoot } from "../../lib/native/package-root.js";
import { temporaryFolder } from "../support/folder.js";

/** The language service imports JSON as only tsx does, so it runs in a process of its own. */
function check(files: Record<string, string>) {
  const folder = temporaryFolder();
  const paths = Object.entries(files).map(([name, text]) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  });
  const args = ["--import", "tsx", "scripts/workflows.ts", ...paths];
  const options = { cwd: packageRoot, encoding: "utf8" } as const;
  const { status, stderr } = spawnSync(process.execPath, args, options);
  return { status, lines: stderr.trim().split("\n") };
}

const workflow = (job: string, head = "permissions: {}\nconcurrency: x\n") =>
  `on: push\n${head}jobs:\n  a:\n    runs-on: ubuntu-24.04\n${job}`;
const STEP = "    timeout-minutes: 5\n    steps:\n";

test("each fault is found on its line, and nothing else", () => {
  const files = {
    "good.yml": workflow(
      `${STEP}      - uses: actions/checkout@v5\n` +
        "      # A reason.\n      - run: scripts/setup.sh && npm run lint && .ci/run\n" +
        "        continue-on-error: true # another reason\n",
    ),
    "key.yml": workflow(`${STEP}      - run: x\n        wit: {}\n`),
    "expression.yml": workflow(`${STEP}      - run: echo \${{ foo( }}\n`),
    "context.yml": workflow(`${STEP}      - run: echo \${{ matrix.nothing.x }} \${{ nope.x }}\n`),
    "needs.yml": workflow(`    needs: b\n${STEP}      - run: x\n`),
    "permissions.yml": workflow(`${STEP}      - run: x\n`, "concurrency: x\n"),
    "concurrency.yml": workflow(`${STEP}      - run: x\n`, "permissions: {}\n"),
    "timeout.yml": workflow("    steps:\n      - run: x\n"),
    "pin.yml": workflow(`${STEP}      - uses: actions/checkout@main\n`),
    "reason.yml": workflow(`${STEP}      - run: x\n        continue-on-error: true\n`),
    "script.yml": workflow(`${STEP}      - run: npm run no-such-script\n`),
    "path.yml": workflow(`${STEP}      - run: ./scripts/no-such-file.sh\n`),
  };
  const { status, lines } = check(files);
  expect(status).toBe(1);
  const found = Object.keys(files).map((name) => [
    name,
    ...lines.filter((line) => line.includes(`/${name}:`)).map((line) => line.split(`${name}:`)[1]),
  ]);
  expect(found).toEqual([
    ["good.yml"],
    ["key.yml", expect.stringMatching(/^10: .*wit/)],
    ["expression.yml", expect.stringMatching(/^9: /)],
    ["context.yml", expect.stringMatching(/^9: .*nope/)],
    [
      "needs.yml",
      "7: Value 'b' is not valid",
      "5: The workflow must contain at least one job with no dependencies.",
    ],
    ["permissions.yml", "1: no permissions for the workflow"],
    ["concurrency.yml", "1: no concurrency group"],
    ["timeout.yml", "1: the job a has no timeout-minutes"],
    ["pin.yml", expect.stringMatching(/^9: actions\/checkout@main/)],
    ["reason.yml", expect.stringMatching(/^10: continue-on-error needs a comment/)],
    ["script.yml", "9: package.json has no script no-such-script"],
    ["path.yml", "9: there is no scripts/no-such-file.sh"],
  ]);
});

test("faults of an action are found, too", () => {
  const action = (step: string) =>
    `name: a\ndescription: b\ninputs:\n  x:\n    description: c\nruns:\n  using: composite\n  steps:\n${step}`;
  const run = (script: string) => action(`    - shell: bash\n      run: echo ${script}\n`);
  const lines = (text: string) =>
    check({ "action.yml": text }).lines.map((line) => line.slice(-60));
  expect(lines(run("hello"))).toEqual([""]);
  expect(lines(run("$" + "{{ inputs.x }}"))[0]).toContain("pass it as a variable, by env");
  expect(lines(action("    - shell: bash\n      run: x\n      wit: y\n"))[0]).toContain("wit");
  expect(lines(action("    - run: x\n"))[0]).toContain("shell");
  expect(lines(action("    - uses: actions/checkout@main\n"))[0]).toContain("pinned");
});

const posix = process.platform !== "win32";
test.skipIf(!posix)("the action scans the given paths, and its inputs run nothing", () => {
  const { inputs, runs } = parse(readFileSync(join(packageRoot, "action.yml"), "utf8"));
  expect(Object.keys(inputs)).toEqual(["paths", "sarif-file"]);
  const script: string = runs.steps[0].run;
  const folder = temporaryFolder();
  // In place of npx, what writes its arguments and fails as a scan with findings does.
  writeFileSync(join(folder, "npx"), '#!/bin/sh\nprintf "%s\\n" "$@" > "$0.log"\nexit 1\n', {
    mode: 0o755,
  });
  const ran = (paths: string, sarif: string) => {
    const ended = spawnSync("bash", ["--norc", "-e", "-o", "pipefail", "-c", script], {
      cwd: folder,
      env: {
        PATH: `${folder}:${process.env["PATH"]}`,
        SDA_SCAN_PATHS: paths,
        SDA_SCAN_SARIF: sarif,
        SDA_SCAN_ACTION: packageRoot,
      },
      encoding: "utf8",
    });
    expect([ended.status, ended.stdout, ended.stderr]).toEqual([1, "", ""]);
    return readFileSync(join(folder, "npx.log"), "utf8").trimEnd().split("\n");
  };
  const { version } = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8"));
  const begin = ["--yes", `torch-checkpoint@${version}`, "scan"];
  expect(ran(".", "")).toEqual([...begin, "--", "."]);
  const odd = ["a b", "$(touch owned)", "`touch owned`", "; touch owned", "*", "-x", "'\""];
  expect(ran(`${odd.join("\n\n")}\n`, "x y.sarif; touch owned")).toEqual([
    ...begin,
    "--sarif",
    "--output=x y.sarif; touch owned",
    "--",
    ...odd,
  ]);
  expect(readdirSync(folder).sort()).toEqual(["npx", "npx.log"]);
});

test("this project's workflows are right", () => {
  const names = readdirSync(join(packageRoot, ".github/workflows"));
  expect(names.sort()).toEqual(["ci.yml", "codeql.yml", "release.yml"]);
  expect(check({})).toEqual({ status: 0, lines: [""] });
});

const read = (path: string) => parse(readFileSync(join(packageRoot, ".github", path), "utf8"));

test.each(["bug.yml", "feature.yml"])("the issue form %s is one that GitHub takes", (name) => {
  const form = read(`ISSUE_TEMPLATE/${name}`);
  expect(Object.keys(form).sort()).toEqual(["body", "description", "labels", "name"]);
  const ids = form.body.map((field: { id?: string }) => field.id).filter(Boolean);
  expect(new Set(ids).size).toBe(ids.length);
  for (const field of form.body) {
    expect(["markdown", "textarea", "input", "dropdown", "checkboxes"]).toContain(field.type);
    if (field.type === "markdown") expect(field.attributes.value).toBeTypeOf("string");
    else {
      expect(field.id).toMatch(/^[\w-]+$/);
      expect(field.attributes.label).toBeTypeOf("string");
    }
    if (field.type === "dropdown")
      expect(new Set(field.attributes.options).size).toBe(field.attributes.options.length);
  }
});

test("Dependabot looks where manifests and workflows are", () => {
  const { version, updates } = read("dependabot.yml");
  expect(version).toBe(2);
  const found: Record<string, string> = { npm: "package.json", "github-actions": ".github" };
  expect(updates.map((u: Record<string, string>) => u["package-ecosystem"]).sort()).toEqual(
    Object.keys(found).sort(),
  );
  for (const { directory, schedule, ...update } of updates) {
    const manifest = found[update["package-ecosystem"]] as string;
    expect(existsSync(join(packageRoot, directory, manifest))).toBe(true);
    expect(["daily", "weekly", "monthly"]).toContain(schedule.interval);
  }
});
