import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import ts from "typescript";
import { packageRoot } from "../../lib/native/package-root.js";

/**
 * lib/ as JavaScript, for tests that start many processes: those then begin in a tenth of the time that `tsx` takes.
 * Made from the sources as they are now, so that nothing stale is tested. `remove` it afterwards.
 */
export function compileLibrary(): { url: string; remove(): void } {
  const parent = join(packageRoot, "build");
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, "test-lib-"));
  const lib = join(packageRoot, "lib");
  for (const name of readdirSync(lib, { recursive: true }) as string[]) {
    if (!name.endsWith(".ts") || name.endsWith(".d.ts")) continue;
    const { outputText } = ts.transpileModule(readFileSync(join(lib, name), "utf8"), {
      compilerOptions: {
        module: ts.ModuleKind.ESNext,
        target: ts.ScriptTarget.ES2022,
        verbatimModuleSyntax: true,
      },
    });
    const target = join(folder, name.replace(/\.ts$/, ".js"));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, outputText);
  }
  return {
    url: pathToFileURL(folder).href,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
