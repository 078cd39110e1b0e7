import { rmSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { run } from "../../lib/cli/program.js";
import { saveModelFromCheckpoint } from "../../lib/index.js";
import { dataFolder, MODEL_ID } from "../support/data-folder.js";
import { fixture } from "../support/fixtures.js";
import { temporaryFolder } from "../support/folder.js";
import { keepingIo } from "../support/io.js";

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

/** The names that a shell is offered at the end of the line, without descriptions. */
async function offered(shell: string, ...words: string[]): Promise<string[]> {
  const { io, kept } = keepingIo();
  const before = process.env;
  const line = ["sda", ...words].join(" ");
  process.env = {
    ...before,
    SHELL: shell,
    SDA_MODELS_DIR: folder,
    COMP_CWORD: String(words.length),
    COMP_LINE: line,
    COMP_POINT: String(line.length),
  };
  // An empty list tells the shell to complete files.
  const log = vi.spyOn(console, "log").mockImplementation((text) => io.stdout.write(`${text}\n`));
  try {
    expect(await run(["completion-server", "--", "sda", ...words], io)).toBe(0);
  } finally {
    log.mockRestore();
    process.env = before;
  }
  return kept.stdout
    .split("\n")
    .filter(Boolean)
    .map((name) => name.split(/[\t:]/)[0] ?? "");
}

const add = (name: string) =>
  saveModelFromCheckpoint(fixture("checkpoints/tiny.pt"), { name }, folder);
const FILES = ["__tabtab_complete_files__"];

describe.each(["zsh", "fish", "pwsh"])("completion in %s", (shell) => {
  const complete = (...words: string[]) => offered(shell, ...words);

  it("offers commands and their subcommands", async () => {
    expect(await complete("")).toEqual(expect.arrayContaining(["model", "generate", "inspect"]));
    expect(await complete("")).not.toContain("completion-server");
    expect(await complete("model", "")).toEqual(
      expect.arrayContaining(["list", "info", "delete", "import", "repair", "verify"]),
    );
  });

  it("offers a command's options, and the choices of one", async () => {
    expect(await complete("model", "list", "--")).toEqual(
      expect.arrayContaining(["--query", "--sort", "--json", "--models-dir"]),
    );
    expect(await complete("model", "list", "--sort", "")).toContain("name");
    expect(await complete("generate", "x", "--spatial-mode", "")).toEqual([
      "mono",
      "stereo",
      "dual_seed",
    ]);
    expect(await complete("completion", "")).toContain(shell);
  });

  it("offers models, by id if a shell would split the name", async () => {
    await add("Warm_Pad");
    await add("Two Words");
    const names = await complete("model", "info", "");
    expect(names).toContain("Warm_Pad");
    expect(names).toHaveLength(2);
    expect(names.find((name) => name !== "Warm_Pad")).toMatch(/^[\da-f-]{36}$/);
    const other = temporaryFolder();
    expect(await complete("model", "info", "--models-dir", other, "")).toEqual(FILES);
  });

  it("offers presets of the model, and sounds", async () => {
    const data = dataFolder();
    rmSync(join(data, "config.toml"));
    const names = await complete("preset", "show", "--data-dir", data, MODEL_ID, "");
    expect(names).toEqual([1, 2, 3].map((n) => `00000000-0000-4000-8000-00000000000${n}`));
    expect(await complete("--data-dir", data, "history", "show", "")).toHaveLength(2);
    expect(await complete("history", `--data-dir=${data}`, "delete", "")).toHaveLength(2);
    expect(await complete("preset", "show", "--data-dir", data, "nothing", "")).toEqual(FILES);
  });

  it("lets the shell complete files", async () => {
    expect(await complete("inspect", "")).toEqual(FILES);
    expect(await complete("generate", "./")).toEqual(FILES);
    expect(await complete("generate", "x", "-o", "")).toEqual(FILES);
    expect(await complete("model", "info", "x", "")).toEqual([]);
  });
});

it.each(["bash", "zsh", "fish", "pwsh"])("sda completion %s prints a script", async (shell) => {
  const { io, kept } = keepingIo();
  expect(await run(["completion", shell], io)).toBe(0);
  expect(kept.stdout).toContain("completion-server");
});

it("refuses other shells", async () => {
  const { io, kept } = keepingIo();
  expect(await run(["completion", "csh"], io)).toBe(2);
  expect(kept.stderr).toContain("Allowed choices are bash, zsh, fish, pwsh");
});
