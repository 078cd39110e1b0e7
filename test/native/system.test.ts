import { afterEach, expect, test, vi } from "vitest";
import { libcProblem, systemLibc } from "../../lib/native/system.js";

afterEach(() => vi.restoreAllMocks());

test.runIf(process.platform === "linux")("a report without a glibc version means musl", () => {
  vi.spyOn(process.report, "getReport").mockReturnValue({ header: {} } as never);
  expect(systemLibc()).toEqual({ name: "musl" });
  vi.spyOn(process.report, "getReport").mockReturnValue({
    header: { glibcVersionRuntime: "2.31" },
  } as never);
  expect(systemLibc()).toEqual({ name: "glibc", version: "2.31" });
});

test.each([
  ["2.31", "2.35", true],
  ["2.9", "2.35", true],
  ["2.35", "2.35", false],
  ["2.100", "2.35", false],
  ["3.0", "2.35", false],
])("glibc %s where %s is needed", (version, glibc, problem) => {
  const found = libcProblem({ glibc }, { name: "glibc", version });
  expect(found !== undefined).toBe(problem);
  if (problem)
    expect(found).toContain(`needs glibc ${glibc} or newer, and this system has ${version}`);
});

test("musl is named", () => {
  expect(libcProblem({ glibc: "2.35" }, { name: "musl" })).toMatch(/musl \(as in Alpine Linux\)/);
});

test("without a need, or without a choice of C library, it is not the reason", () => {
  expect(libcProblem({}, { name: "musl" })).toBeUndefined();
  expect(libcProblem({ glibc: "2.35" }, undefined)).toBeUndefined();
});
