/** The recipes of torch-checkpoint's README run unchanged with the built package. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fixture, readText, root } from "./tables.js";
import { codeBlocks, workplace } from "./workplace.js";

const recipes = codeBlocks(readText("torch/README.md"));
const built = existsSync(join(root, "dist/torch/index.js"));

function folderWith(code: string): string {
  const folder = workplace("torch-checkpoint");
  cpSync(fixture("checkpoints/tiny.pt"), join(folder, "model.pt"));
  mkdirSync(join(folder, "downloads"));
  cpSync(fixture("checkpoints/tiny.pt"), join(folder, "downloads/model.pt"));
  writeFileSync(join(folder, "code.mjs"), code);
  return folder;
}

function run(code: string) {
  const cwd = folderWith(code);
  const ended = spawnSync(process.execPath, ["code.mjs"], { cwd, encoding: "utf8" });
  expect(ended).toMatchObject({ status: 0, stderr: "" });
  return { cwd, lines: ended.stdout.trimEnd().split("\n") };
}

test("there are five recipes, of at most five lines after their imports", () => {
  expect(recipes).toHaveLength(5);
  for (const recipe of recipes) {
    const lines = recipe.split("\n").filter((line) => line !== "" && !line.startsWith("import"));
    expect(lines.length).toBeLessThanOrEqual(5);
  }
});

describe.skipIf(!built)("the recipe for", () => {
  const [shapes, weights, convert, judge, remote] = recipes as string[] as [
    string,
    string,
    string,
    string,
    string,
  ];

  test("shapes", () => {
    const { lines } = run(shapes);
    expect(lines[0]).toMatch(/^zip \d+$/);
    expect(lines[1]).toMatch(/^model_state_dict\.\S+ \w+ \[/);
  });

  test("weights", () => {
    expect(run(weights).lines[0]).toMatch(/^encoder\.\S+ -?\d/);
  });

  test("safetensors and back", () => {
    const { cwd, lines } = run(convert);
    expect(lines[0]).toMatch(/^\d+ \d+$/);
    for (const name of ["model.safetensors", "again.pt"]) {
      expect(readFileSync(join(cwd, name)).length).toBeGreaterThan(1000);
    }
  });

  test("judging a folder", () => {
    expect(run(judge).lines).toEqual([`${join("downloads", "model.pt")} safe`]);
  });

  test("a remote file, of which parts are read", async () => {
    const content = readFileSync(fixture("checkpoints/tiny.pt"));
    let sent = 0;
    const server = createServer((request, response) => {
      const [, from = "", to = ""] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
      const part = content.subarray(Number(from), Number(to) + 1);
      sent += part.length;
      response.writeHead(206, {
        "content-range": `bytes ${from}-${Number(from) + part.length - 1}/${content.length}`,
        "content-length": part.length,
      });
      response.end(part);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const cwd = folderWith(remote.replace("127.0.0.1:8080", `127.0.0.1:${port}`));
    const { execFile } = await import("node:child_process");
    const stdout = await new Promise((resolve, reject) =>
      execFile(process.execPath, ["code.mjs"], { cwd }, (error, out) =>
        error ? reject(error) : resolve(out),
      ),
    ).finally(() => server.close());
    expect(stdout).toMatch(new RegExp(`^${content.length} model_state_dict\\.`));
    expect(sent).toBeGreaterThan(0);
  });
});
