/** The declarations that users compile against, emitted from the sources as by `npm run build`. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import ts from "typescript";
import { afterAll, beforeAll, expect, test } from "vitest";
import { packageRoot } from "../../lib/native/package-root.js";

/** An application with the package in its node_modules. */
let application: string;
/** Text by name, as "model/cache.d.ts". */
const declarations = new Map<string, string>();
/** Members of classes that the sources mark as internal, as "LoadedModel.share". */
const internal: string[] = [];

beforeAll(() => {
  const config = join(packageRoot, "tsconfig.json");
  const read = ts.getParsedCommandLineOfConfigFile(
    config,
    { emitDeclarationOnly: true, sourceMap: false },
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => expect.fail(`can't read ${config}`) },
  ) as ts.ParsedCommandLine;
  const program = ts.createProgram(read.fileNames, read.options);
  const out = read.options.outDir as string;
  program.emit(undefined, (name, text) => declarations.set(name.slice(out.length + 1), text));
  for (const source of program.getSourceFiles()) {
    if (!source.isDeclarationFile) internal.push(...members(source, isInternal));
  }

  application = realpathSync(mkdtempSync(join(tmpdir(), "sda-test-")));
  const folder = join(application, "node_modules/small-dataset-audio");
  for (const [name, text] of declarations) {
    mkdirSync(dirname(join(folder, "dist", name)), { recursive: true });
    writeFileSync(join(folder, "dist", name), text);
  }
  const manifest = ts.sys.readFile(join(packageRoot, "package.json")) as string;
  writeFileSync(join(folder, "package.json"), manifest);
}, 120_000);

afterAll(() => rmSync(application, { recursive: true }));

test("have no internal member", () => {
  expect(internal).toContain("LoadedModel.share");
  const published = [...declarations].flatMap(([name, text]) =>
    members(ts.createSourceFile(name, text, ts.ScriptTarget.ES2022, true), () => true),
  );
  expect(published).toContain("LoadedModel.generate");
  expect(published.filter((name) => internal.includes(name))).toEqual([]);
  for (const [name, text] of declarations) expect(text, name).not.toContain("@internal");
});

test("compile by themselves, without skipLibCheck, and refuse the rest", {
  timeout: 120_000,
}, () => {
  const { problems, used } = compile({
    "good.mts": `
      import * as all from "small-dataset-audio";
      import * as torch from "small-dataset-audio/torch";
      export const model: Promise<all.LoadedModel> = all.loadModel("pads.sda");
      export const value: Promise<unknown> = torch.load("pads.sda");
      export const saved = model.then((one) => all.saveModel(one, { modelsDir: "models" }));
    `,
    "bad.mts": `
      import { LoadedModel } from "small-dataset-audio";
      export const share = (model: LoadedModel) => model.share();
      export const model = new LoadedModel();
    `,
  });
  expect(problems).toEqual([
    expect.stringMatching(/^bad.mts: .*'share' does not exist/),
    expect.stringMatching(/^bad.mts: .* is private/),
  ]);
  expect(used.length).toBeGreaterThan(20);
  // Typed arrays take no type argument in TypeScript 5.6 and older; see lib/values/arrays.ts.
  for (const name of used) {
    const text = declarations.get(name)?.replace(/\/\*.*?\*\//gs, "");
    expect(text, name).not.toMatch(/\b(\w+Array|Buffer|ArrayBufferView)</);
  }
});

/** Names of the classes' members that `wanted` accepts. */
function members(source: ts.SourceFile, wanted: (member: ts.Node) => boolean): string[] {
  return source.statements.filter(ts.isClassDeclaration).flatMap(({ name, members }) =>
    members.filter(wanted).map((member) => {
      const own = ts.isConstructorDeclaration(member) ? "constructor" : member.name?.getText();
      return `${name?.text}.${own}`;
    }),
  );
}

function isInternal(node: ts.Node): boolean {
  return ts.getJSDocTags(node).some(({ tagName }) => tagName.text === "internal");
}

/** Compiles files of the application. `used`: the package's declarations that they depend on. */
function compile(files: Record<string, string>): { problems: string[]; used: string[] } {
  for (const [name, code] of Object.entries(files)) writeFileSync(join(application, name), code);
  const paths = Object.keys(files).map((name) => join(application, name));
  const program = ts.createProgram(paths, {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    lib: ["lib.es2023.d.ts", "lib.esnext.disposable.d.ts"],
    types: ["node"],
    typeRoots: [join(packageRoot, "node_modules/@types")],
    strict: true,
    noEmit: true,
    skipLibCheck: false,
  });
  const folder = join(application, "node_modules/small-dataset-audio/dist/");
  return {
    problems: ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => {
      const name = file && relative(application, file.fileName);
      return `${name}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
    }),
    used: program
      .getSourceFiles()
      .filter(({ fileName }) => fileName.startsWith(folder))
      .map(({ fileName }) => fileName.slice(folder.length)),
  };
}
