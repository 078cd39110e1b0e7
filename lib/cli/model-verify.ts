import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { SdaError } from "../errors.js";
import { MODEL_SUFFIX } from "../library/folder.js";
import type { VerifyResult } from "../model/verify.js";
import { Failed, type Io, writeJson } from "./io.js";
import { addCommonOptions, addModelsDirOption } from "./options.js";
import { withProgress } from "./progress.js";
import { resolveModel } from "./refs.js";
import { bytesText, colors, plural, printable } from "./text.js";

const EXAMPLES = `
Examples:
  sda model verify                  every file of the library
  sda model verify "Kitchen Drums"
  sda model verify download.pt      any file that torch.save wrote

Each file is read once, all of it: headers, checksums (CRC-32), the pickle. Fails with 1 when anything is wrong.`;

type Checked = VerifyResult & { path: string };

export function addVerifyCommand(parent: Command, io: Io): void {
  const command = parent
    .command("verify")
    .summary("check files for damage")
    .description("Check a model, a file or the whole library for damage.")
    .argument("[ref]", "id, name, part of a name, or path of a file (default: the whole library)")
    .addHelpText("after", EXAMPLES)
    .action((ref: string | undefined, settings: { modelsDir: string; json?: boolean }) =>
      verify(ref, settings, io),
    );
  addModelsDirOption(command);
  addCommonOptions(command);
}

async function verify(
  ref: string | undefined,
  settings: { modelsDir: string; json?: boolean },
  io: Io,
): Promise<void> {
  const paths =
    ref === undefined ? await libraryFiles(settings.modelsDir) : [await find(ref, settings)];
  const checked = await verifyAll(paths, io);
  const damaged = checked.filter(({ ok }) => !ok);
  if (settings.json) writeJson(io, checked);
  else io.stderr.write(report(checked, io));
  if (damaged.length > 0) throw new Failed();
}

async function find(ref: string, settings: { modelsDir: string }): Promise<string> {
  const found = await stat(ref).catch(() => null);
  return found && !found.isDirectory() ? ref : (await resolveModel(ref, settings.modelsDir)).path;
}

/** Those with an entry, whether they are there or not, and those without. */
async function libraryFiles(modelsDir: string): Promise<string[]> {
  const { ModelLibrary } = await import("../library/model-library.js");
  const library = await ModelLibrary.open(modelsDir);
  const names = (await readdir(library.modelsDir)).filter(
    (name) => name.endsWith(MODEL_SUFFIX) && !name.startsWith("."),
  );
  const entries = library.listAll({ sortBy: "name", reverse: false });
  const all = new Set([...entries.map(({ filePath }) => filePath), ...names]);
  return [...all].map((name) => join(library.modelsDir, name));
}

async function verifyAll(paths: readonly string[], io: Io): Promise<Checked[]> {
  const { verifyFile } = await import("../model/verify.js");
  const sizes = await Promise.all(
    paths.map((path) =>
      stat(path).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const checked: Checked[] = [];
  await withProgress(io, "verifying", async (update) => {
    let before = 0;
    for (const [i, path] of paths.entries()) {
      const onProgress = (done: number) => update(before + done, total);
      const options = { signal: io.signal, onProgress };
      const result = await verifyFile(path, options).catch((error) => {
        // Alone, it is the command's error; among others, it is theirs to be told of.
        if (paths.length === 1 || !(error instanceof SdaError)) throw error;
        return { ok: false, records: 0, bytes: 0, problems: [error.message] };
      });
      checked.push({ path, ...result });
      before += sizes[i] ?? 0;
      update(before, total);
    }
  });
  return checked;
}

function report(checked: readonly Checked[], io: Io): string {
  const { green, red } = colors(io.stderr);
  const damaged = checked.filter(({ ok }) => !ok);
  const lines = damaged.flatMap(({ path, problems }) => [
    `${red("damaged")} ${path}\n`,
    ...problems.map((problem) => `  ${printable(problem)}\n`),
  ]);
  const bytes = checked.reduce((sum, file) => sum + file.bytes, 0);
  const [only] = checked;
  if (checked.length === 1 && only) {
    if (only.ok) {
      lines.push(
        `${green("ok")} ${only.path}: ${plural(only.records, "record")}, ${bytesText(bytes)}\n`,
      );
    }
  } else {
    const state = damaged.length === 0 ? green("all ok") : red(`${damaged.length} damaged`);
    lines.push(`${plural(checked.length, "file")}, ${bytesText(bytes)}: ${state}\n`);
  }
  return lines.join("");
}
