import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { SdaError } from "../base/errors.js";
import type { VerifyResult } from "../format/verify.js";
import { ModelsFolder } from "../library/index/folder.js";
import { addCommonOptions } from "./common-options.js";
import { Failed, type Io, writeJson } from "./io.js";
import { addModelsDirOption } from "./options.js";
import { withProgress } from "./progress.js";
import { isFile, resolveModel } from "./refs.js";
import { bytesText, colors, plural, printable } from "./text.js";

const EXAMPLES = `
Examples:
  sda model verify                  all files of the library
  sda model verify "Kitchen Drums"
  sda model verify download.pt      any torch.save file

Each file is read completely: headers, checksums (CRC-32) and the pickle. If a file is damaged, the
exit code is 1.`;

type Checked = VerifyResult & { path: string };

export function addVerifyCommand(parent: Command, io: Io): void {
  const command = parent
    .command("verify")
    .summary("check files for damage")
    .description("Check a model, a file or the whole library for damage.")
    .argument("[ref]", "id, name, part of the name, or path of a file (default: the whole library)")
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
  const checked =
    ref === undefined
      ? await verifyLibrary(settings.modelsDir, io)
      : [await verifyOne(await find(ref, settings), io)];
  const damaged = checked.filter(({ ok }) => !ok);
  if (settings.json) writeJson(io, checked);
  else io.stderr.write(report(checked, io));
  if (damaged.length > 0) throw new Failed();
}

async function find(ref: string, settings: { modelsDir: string }): Promise<string> {
  return (await isFile(ref)) ? ref : (await resolveModel(ref, settings.modelsDir)).path;
}

async function verifyOne(path: string, io: Io): Promise<Checked> {
  const { verifyFile } = await import("../format/verify.js");
  const result = await withProgress(io, "verifying", (onProgress) =>
    verifyFile(path, { signal: io.signal, onProgress }),
  );
  return { path, ...result };
}

/**
 * Verifies all files of a library: the files that have an entry, missing files included, and the
 * model files without an entry. A file that can't be read counts as damaged.
 */
async function verifyLibrary(modelsDir: string, io: Io): Promise<Checked[]> {
  const { ModelLibrary } = await import("../library/model-library.js");
  const { modelFileNames } = await import("../library/index/model-files.js");
  const library = await ModelLibrary.open(modelsDir);
  const names = await modelFileNames(await ModelsFolder.at(library.modelsDir));
  const paths = new Set(names.map((name) => join(library.modelsDir, name)));
  const checked: Checked[] = [];
  for (const { modelId, filePath } of library.listAll({ sortBy: "name", reverse: false })) {
    try {
      // `pathOf` throws if an entry's path leads out of the folder. Such a file is not read.
      const path = await library.pathOf(modelId);
      if (path !== null) paths.add(path);
    } catch (error) {
      checked.push(unreadable(join(library.modelsDir, filePath), error));
    }
  }
  return [...checked, ...(await verifyAll([...paths], io))];
}

async function verifyAll(paths: readonly string[], io: Io): Promise<Checked[]> {
  const { verifyFile } = await import("../format/verify.js");
  const sizes = await Promise.all(
    paths.map((path) =>
      stat(path).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  const total = sizes.reduce((sum, size) => sum + size, 0);
  return withProgress(io, "verifying", async (update) => {
    const checked: Checked[] = [];
    let before = 0;
    for (const [i, path] of paths.entries()) {
      const onProgress = (done: number) => update(before + done, total);
      const options = { signal: io.signal, onProgress };
      const result = await verifyFile(path, options).catch((error) => unreadable(path, error));
      checked.push({ path, ...result });
      before += sizes[i] ?? 0;
      update(before, total);
    }
    return checked;
  });
}

function unreadable(path: string, error: unknown): Checked {
  if (!(error instanceof SdaError)) throw error;
  return { path, ok: false, records: 0, bytes: 0, problems: [error.message] };
}

function report(checked: readonly Checked[], io: Io): string {
  const { green, red } = colors(io.stderr);
  const damaged = checked.filter(({ ok }) => !ok);
  const lines = damaged.flatMap(({ path, problems }) => [
    `${red("damaged")} ${printable(path)}\n`,
    ...problems.map((problem) => `  ${printable(problem)}\n`),
  ]);
  const bytes = checked.reduce((sum, file) => sum + file.bytes, 0);
  const [only] = checked;
  if (checked.length === 1 && only) {
    if (only.ok) {
      const size = `${plural(only.records, "record")}, ${bytesText(bytes)}`;
      lines.push(`${green("ok")} ${printable(only.path)}: ${size}\n`);
    }
  } else if (checked.length === 0) {
    lines.push("There are no model files.\n");
  } else {
    const state = damaged.length === 0 ? green("all ok") : red(`${damaged.length} damaged`);
    lines.push(`${plural(checked.length, "file")}, ${bytesText(bytes)}: ${state}\n`);
  }
  return lines.join("");
}
