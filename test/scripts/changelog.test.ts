import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { packageRoot } from "../../lib/native/package-root.js";
import { changelogProblems, releaseNotes } from "../../scripts/lib/changelog.js";

const GOOD = `# Changelog

Words about the file.

## [Unreleased]

### Fixed

- A fault.

## [1.10.0] - 2030-02-28

A word in front.

### Added

- One thing,
  on two lines.

### Removed

- Another thing.

## [1.9.0] - 2029-12-31

### Added

- The first thing.

[1.10.0]: https://example.com/1.10.0
`;

const problems = (from: string | RegExp, to: string, version = "1.10.0") => {
  const text = GOOD.replace(from, to);
  if (from) expect(text).not.toBe(GOOD);
  return changelogProblems(text, version);
};

describe("the form of the changelog", () => {
  test("a good one has no problems", () => expect(problems("", "")).toEqual([]));

  test("the version that is being prepared may have no date", () =>
    expect(problems("2030-02-28", "unreleased")).toEqual([]));

  test.each([
    ["no title", /^# Changelog/, "# Changes", /line 1 must be/],
    ["a second title", "Words about", "# Words about", /line 3: a second title/],
    ["no Unreleased", "## [Unreleased]", "## [2.0.0] - 2031-01-01", /first section must be/],
    ["Unreleased with a date", "[Unreleased]", "[Unreleased] - 2030-01-01", /line 5: not/],
    ["Unreleased at the end", "[1.9.0] - 2029-12-31", "[Unreleased]", /a second \[Unreleased\]/],
    ["no brackets", "## [1.9.0]", "## 1.9.0", /line 24: not/],
    ["no version", "[1.9.0]", "[1.9]", /line 24: not/],
    ["no date", "] - 2029-12-31", "]", /line 24: not/],
    ["a day that does not exist", "2030-02-28", "2030-02-30", /line 11: not/],
    ["a date of another form", "2030-02-28", "28.2.2030", /line 11: not/],
    ["a wrong order", "[1.9.0]", "[1.11.0]", /line 24: \[1.11.0\] must be older/],
    ["the same version twice", "[1.9.0]", "[1.10.0]", /line 24: \[1.10.0\] must be older/],
    ["an old version without a date", "2029-12-31", "unreleased", /only the newest/],
    ["a version without entries", "- The first thing.", "", /\[1.9.0\] has no entry/],
    ["an unknown group", "### Fixed", "### Fixes", /line 7: "Fixes" is none of/],
    ["a group twice", "### Removed", "### Added", /line 20: a second "Added"/],
    ["an empty group", "- Another thing.", "", /line 11: the group "Removed" has no entry/],
    ["an entry in no group", "### Fixed\n", "", /line 8: an entry above the first group/],
  ])("%s", (_, from, to, message) =>
    expect(problems(from, to)).toEqual(expect.arrayContaining([expect.stringMatching(message)])),
  );

  test("the version of package.json needs a section", () =>
    expect(problems("", "", "1.11.0")).toEqual([expect.stringMatching(/## \[1.11.0\]/)]));

  test("this project's changelog is well formed", () => {
    const read = (name: string) => readFileSync(join(packageRoot, name), "utf8");
    const { version } = JSON.parse(read("package.json"));
    expect(changelogProblems(read("CHANGELOG.md"), version)).toEqual([]);
  });
});

describe("the notes of a release", () => {
  test("are the section without its heading", () => {
    expect(releaseNotes(GOOD, "1.10.0")).toBe(
      "A word in front.\n\n### Added\n\n- One thing,\n  on two lines.\n\n" +
        "### Removed\n\n- Another thing.",
    );
    expect(releaseNotes(GOOD, "1.9.0")).toBe("### Added\n\n- The first thing.");
  });

  test("need a section and its date", () => {
    expect(() => releaseNotes(GOOD, "1.8.0")).toThrow("no section [1.8.0]");
    const prepared = GOOD.replace("2030-02-28", "unreleased");
    expect(() => releaseNotes(prepared, "1.10.0")).toThrow("needs the date");
  });

  test("the script refuses a tag of another version", () => {
    const args = ["--import", "tsx", "scripts/release-notes.ts", "v0.0.0-other"];
    const options = { cwd: packageRoot, encoding: "utf8" } as const;
    const { status, stdout, stderr } = spawnSync(process.execPath, args, options);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(/the tag must be v\d/);
  });
});
