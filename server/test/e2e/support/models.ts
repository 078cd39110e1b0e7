/** Models folders for the tests. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { importModel, loadModel, type ModelEntry, saveModel } from "../../../../lib/index.js";
import { bundledModel } from "../../../../test/process/run.js";
import { fixture } from "../../../../test/support/fixtures.js";

export { bundledModel, fixture };

export const PLUCKS = "Synthetic Plucks";

const made: string[] = [];
afterAll(() => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
});

/** A new folder, removed after the test file. */
export function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "sda-e2e-"));
  made.push(folder);
  return folder;
}

/** A folder with the bundled model, a small model and a model without sliders. */
export async function modelsFolder(): Promise<{ folder: string; plucks: ModelEntry }> {
  const folder = emptyFolder();
  const plucks = await importModel(bundledModel, folder);
  await importModel(fixture("models/tiny.sda"), folder, {
    metadata: {
      name: "Tiny Bells",
      description: "Bells in a small room, recorded with one microphone",
      tags: ["bells", "demo"],
    },
  });
  using tiny = await loadModel(fixture("models/tiny.sda"));
  await saveModel(tiny, {
    modelsDir: folder,
    metadata: { name: "Blind Singer", tags: ["voice"] },
    analysis: null,
  });
  return { folder, plucks };
}

/** Like `modelsFolder`, plus 30 models, which need a second page. */
export async function manyModels(): Promise<string> {
  const { folder } = await modelsFolder();
  for (let i = 1; i <= 30; i++) {
    await importModel(fixture("models/tiny.sda"), folder, {
      metadata: {
        name: `Series ${String(i).padStart(2, "0")}`,
        tags: [i % 2 === 0 ? "even" : "odd", `tag-${i}`],
      },
    });
  }
  return folder;
}
