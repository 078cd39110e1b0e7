import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { run } from "../../lib/cli/program.js";
import { dataFolder } from "../support/data-folder.js";
import { keepingIo } from "../support/io.js";

const [first, second] = [1, 2].map(
  (n) => `00000000-0000-4000-9000-${String(n).padStart(12, "0")}`,
) as [string, string];

let data: string;
beforeEach(() => {
  data = dataFolder();
  rmSync(join(data, "config.toml")); // it names another folder
});

async function history(...args: string[]) {
  const { io, kept } = keepingIo();
  return {
    code: await run(["history", ...args, "--data-dir", data], io),
    ...kept,
  };
}

describe("sda history", () => {
  it("lists sounds, newest first", async () => {
    const { code, stdout, stderr } = await history("list");
    expect(code).toBe(0);
    const lines = stdout.split("\n");
    expect(lines[0]).toMatch(/^MADE +MODEL +PRESET +SEED +LENGTH +ID$/);
    expect(lines[1]).toBe(`2026-11-26 07:05  Singing Wires  Crème brûlée  1602  2 s     ${second}`);
    expect(lines).toHaveLength(4);
    expect(stderr).toBe(`2 sounds, ${join(data, "history")}\n`);
    const one = await history("list", "-n", "1", "--model", "WIRES");
    expect(one.stdout.split("\n")).toHaveLength(3);
    expect(one.stderr).toContain("1 of 2 sounds");
    const json = JSON.parse((await history("list", "--model", "another", "--json")).stdout);
    expect(json.map((e: { entryId: string }) => e.entryId)).toEqual([second]);
    expect((await history("list", "--model", "x")).stdout).toBe("");
  });

  it("shows a sound", async () => {
    const { code, stdout } = await history("show", second);
    expect(code).toBe(0);
    expect(stdout).toContain("sliders: 0:-1 1:9 2:5\nseed:    1602\n");
    expect(stdout).toContain(`file:    ${join(data, "history/audio", `${second}.wav`)}\n`);
    const json = JSON.parse((await history("show", first, "--json")).stdout);
    expect(json).toMatchObject({ entryId: first, qualityScore: { snrDb: "Infinity" } });
  });

  it("deletes a sound when it is sure", async () => {
    const unsure = await history("delete", first);
    expect([unsure.code, unsure.stderr]).toEqual([2, expect.stringContaining("use --force")]);
    const { code, stderr } = await history("delete", first, "--force");
    expect([code, stderr]).toEqual([0, expect.stringMatching(/^Deleted the sound of Singing/)]);
    expect(existsSync(join(data, "history/audio", `${first}.wav`))).toBe(false);
    expect((await history("delete", first, "--force")).code).toBe(2);
  });

  it.each([
    ["nothing", "no sound has the id"],
    ["00000000", "matches 2 sounds"],
  ])("ends with 2 for %s", async (ref, message) => {
    const { code, stdout, stderr } = await history("show", ref);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(message);
  });
});
