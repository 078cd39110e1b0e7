// scripts/setup.sh on systems made of nothing but the tools that a test names.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { packageRoot } from "../../lib/native/package-root.js";
import { temporaryFolder } from "../support/folder.js";

const BUILD = ["cmake", "ninja", "c++"];
const TESTS = [
  "git",
  "g++",
  "ccache",
  "clang-format",
  "strace",
  "debootstrap",
  "nginx",
  "ffmpeg",
  "metaflac",
  "vorbiscomment",
  "clang++",
  "python3",
];
const CMAKE = "echo 'cmake version 3.25.1'";

interface System {
  /** Tools beside those of any system. A tool with code does what the code says. */
  tools: (string | [name: string, code: string])[];
  user?: "root" | "other";
  /** Tools that `apt-get install` brings, by package. */
  brings?: Record<string, string[]>;
  args?: string[];
}

function setup({ tools, user = "root", brings = {}, args = [] }: System) {
  const folder = temporaryFolder();
  const bin = join(folder, "bin");
  const log = join(folder, "log");
  mkdirSync(bin);
  const put = (name: string, code: string) => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${code}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  for (const name of ["sed", "sort", "tr", "cp"]) put(name, `exec /usr/bin/${name} "$@"`);
  // env starts apt-get, so it keeps the PATH of this system.
  put("env", 'for v; do case "$v" in *=*) export "$v"; shift ;; *) break ;; esac; done; "$@"');
  put("id", `echo ${user === "root" ? 0 : 1000}`);
  const codes: Record<string, string> = {
    cmake: CMAKE,
    sudo: `echo "sudo $1" >> '${log}'; exec "$@"`,
    "apt-get": aptGet(),
  };
  for (const tool of tools) {
    const [name, code] = Array.isArray(tool) ? tool : [tool, codes[tool] ?? "exit 0"];
    put(name, code);
  }

  /** Logs its call, and copies what the packages bring from `folder` to `bin`. */
  function aptGet(): string {
    const lines = Object.entries(brings).flatMap(([name, brought]) =>
      brought.map((tool) => {
        writeFileSync(join(folder, tool), `#!/bin/sh\n${tool === "cmake" ? CMAKE : "exit 0"}\n`);
        chmodSync(join(folder, tool), 0o755);
        return `case " $* " in *" ${name} "*) cp '${folder}/${tool}' '${bin}/' ;; esac`;
      }),
    );
    return [`echo "apt-get $*" >> '${log}'`, '[ "$1" = install ] || exit 0', ...lines].join("\n");
  }

  const { status, stdout, stderr } = spawnSync(
    "/bin/sh",
    [join(packageRoot, "scripts/setup.sh"), ...args],
    { encoding: "utf8", env: { PATH: bin } },
  );
  const calls = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
  return { status, stdout, stderr, calls };
}

const UPDATE = "apt-get update -qq";
const INSTALL = "apt-get install -y -qq --no-install-recommends";
const BRINGS = {
  cmake: ["cmake"],
  "ninja-build": ["ninja"],
  "g++": ["c++", "g++"],
};
const NOTHING = { status: 0, stdout: "", stderr: "", calls: [] };

describe.skipIf(process.platform === "win32")("scripts/setup.sh", () => {
  test("does nothing where all is there", () => {
    expect(setup({ tools: ["apt-get", ...BUILD] })).toEqual(NOTHING);
    expect(setup({ tools: BUILD, user: "other" })).toEqual(NOTHING);
  });

  test("--test does nothing where the tests' tools are there too", () => {
    const tools = ["apt-get", ...BUILD, ...TESTS, "google-chrome"];
    expect(setup({ tools, args: ["--test"] })).toEqual(NOTHING);
  });

  test("installs all that the build needs, as root without sudo", () => {
    const tools = ["apt-get", "sudo"];
    const { status, calls } = setup({ tools, brings: BRINGS });
    expect(calls).toEqual([UPDATE, `${INSTALL} cmake g++ ninja-build`]);
    expect(status).toBe(0);
  });

  test("installs only what is missing, through sudo for another user", () => {
    const tools = ["apt-get", "sudo", "cmake", "c++"];
    const { status, stderr, calls } = setup({ tools, user: "other", brings: BRINGS });
    expect(calls).toEqual(["sudo apt-get", UPDATE, "sudo env", `${INSTALL} ninja-build`]);
    expect(stderr).toContain("asks for your password");
    expect(status).toBe(0);
  });

  test("without sudo it names the command", () => {
    const { status, stderr, calls } = setup({ tools: ["apt-get", "cmake"], user: "other" });
    expect({ status, calls }).toEqual({ status: 1, calls: [] });
    expect(stderr).toContain("apt-get install g++ ninja-build");
  });

  test("a CMake that is too old counts as missing, before and after", () => {
    const tools: System["tools"] = [...BUILD, "apt-get", ["cmake", "echo 'cmake version 3.18.4'"]];
    const { status, stderr, calls } = setup({ tools });
    expect(calls).toEqual([UPDATE, `${INSTALL} cmake`]);
    expect(stderr).toContain("Still missing after the installation: cmake");
    expect(status).toBe(1);
    tools[tools.length - 1] = ["cmake", "echo 'cmake version 4.0.2'"];
    expect(setup({ tools })).toEqual(NOTHING);
  });

  test("--test installs the tests' tools, and Clang's runtime by Clang's version", () => {
    const depends = "echo '  Depends: clang-14'";
    const aptCache = `case "$1" in depends) ${depends} ;; *) echo "Candidate: 1:14" ;; esac`;
    // As in Debian: with the package clang alone, nothing links with the runtime.
    const brings = {
      strace: ["strace"],
      python3: ["python3"],
      "python3-pip": [],
      clang: [],
      "libclang-rt-14-dev": ["clang++"],
    };
    const there = TESTS.filter((tool) => !["strace", "clang++", "python3"].includes(tool));
    const { status, calls } = setup({
      tools: ["apt-get", ...BUILD, ...there, "chromium", ["apt-cache", aptCache]],
      brings,
      args: ["--test"],
    });
    expect(calls).toEqual([
      UPDATE,
      `${INSTALL} clang libclang-rt-14-dev python3 python3-pip strace`,
    ]);
    expect(status).toBe(0);
  });

  test("a release without a package for Chromium goes on without it", () => {
    for (const policy of ["exit 0", "echo '  Candidate: (none)'"]) {
      const tools: System["tools"] = [...BUILD, ...TESTS, "apt-get", ["apt-cache", policy]];
      const { status, stderr, calls } = setup({ tools, args: ["--test"] });
      expect(calls).toEqual([UPDATE, `${INSTALL} `.trim()]);
      expect(stderr).toContain("tests in a browser are skipped");
      expect(status).toBe(0);
    }
  });

  test.each([
    ["dnf", "dnf install cmake gcc-c++ ninja-build"],
    ["pacman", "pacman -S cmake gcc ninja"],
    ["apk", "apk add cmake g++ ninja"],
    ["brew", "brew install cmake ninja"],
    ["no package manager", "by this system's means: cmake ninja compiler"],
  ])("elsewhere it names the packages: %s", (manager, command) => {
    const { status, stdout, stderr, calls } = setup({ tools: [manager, "sudo"] });
    expect({ status, stdout, calls }).toEqual({ status: 1, stdout: "", calls: [] });
    expect(stderr).toContain(command);
  });

  test("an unknown option is refused", () => {
    const { status, stderr } = setup({ tools: BUILD, args: ["--tests"] });
    expect(status).toBe(2);
    expect(stderr).toContain("usage");
  });
});
