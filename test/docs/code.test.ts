/** Blocks of ```js in the documents type-check against the package's declarations. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { codeBlocks } from "./workplace.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const documents = [
  "README.md",
  ...readdirSync(join(root, "doc")).flatMap((name) =>
    name.endsWith(".md") ? [`doc/${name}`] : [],
  ),
];

const blocks = (document: string) => codeBlocks(readFileSync(join(root, document), "utf8"));

/** Declares the names that blocks of the README use without defining them. */
const GIVEN = `
declare const recording: Float32Array<ArrayBuffer>;
declare const signal: AbortSignal;
declare const response: { write(bytes: Uint8Array): void };
`;

function problems(sources: Map<string, string>): string[] {
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    lib: ["lib.es2023.d.ts", "lib.esnext.disposable.d.ts"],
    types: ["node"],
    strict: true,
    // Parameters in JavaScript have no declared types.
    noImplicitAny: false,
    useUnknownInCatchVariables: false,
    noEmit: true,
    skipLibCheck: true,
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile } = host;
  host.fileExists = (name) => sources.has(name) || fileExists(name);
  host.readFile = (name) => sources.get(name) ?? readFile(name);
  host.getSourceFile = (name, target) => {
    const text = host.readFile(name);
    return text === undefined ? undefined : ts.createSourceFile(name, text, target);
  };
  const program = ts.createProgram([...sources.keys()], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => {
    return `${file?.fileName.slice(root.length)}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
  });
}

test("error codes in documents and docstrings exist", () => {
  const declared = readFileSync(join(root, "lib/base/errors.ts"), "utf8");
  const codes = new Set(declared.match(/"ERR_SDA_[A-Z_]+"/g)?.map((code) => code.slice(1, -1)));
  expect(codes.size).toBe(14);
  const sources = readdirSync(join(root, "lib"), { recursive: true, encoding: "utf8" })
    // lib/native has further codes of its own.
    .filter((name) => name.endsWith(".ts") && !name.startsWith("native"))
    .map((name) => join("lib", name));
  for (const name of [...documents, ...sources]) {
    const text = readFileSync(join(root, name), "utf8");
    const said = name.endsWith(".md") ? text : (text.match(/^\s*\/?\*.*$/gm) ?? []).join("\n");
    for (const [code] of said.matchAll(/ERR_SDA_[A-Z_]+/g)) {
      expect(codes, `${code} in ${name}`).toContain(code);
    }
  }
  const said = [...declared.matchAll(/^ \* - ([A-Z_]+):/gm)].map(([, code]) => `ERR_SDA_${code}`);
  expect(said).toEqual([...codes]);
});

test("links between documents have targets", () => {
  const found = documents.flatMap((name) =>
    [...readFileSync(join(root, name), "utf8").matchAll(/\]\((?!\w+:|#)([^)#]+)/g)].map(
      ([, target]) => join(dirname(name), target as string),
    ),
  );
  expect(found.length).toBeGreaterThan(5);
  expect(found.filter((target) => !existsSync(join(root, target)))).toEqual([]);
});

describe.skipIf(!existsSync(join(root, "dist/index.d.ts")))("code in the documents", () => {
  test("type-checks against the package", { timeout: 300_000 }, () => {
    const sources = new Map<string, string>([[join(root, "given.d.ts"), GIVEN]]);
    for (const document of documents) {
      blocks(document).forEach((code, i) => {
        // Adds types that JavaScript omits. Each block is a module, so that names do not clash.
        const typed = code
          .replace(
            'await load("pads.sda"); // a Map',
            '(await load("pads.sda")) as Map<string, any>;',
          )
          .replace(/mode: "\w+"/g, "$& as const");
        const name = `${document.replace(/\W/g, "-")}-${i}.mts`;
        sources.set(join(root, name), `${typed}\nexport {};\n`);
      });
    }
    expect(sources.size).toBeGreaterThan(6);
    expect(problems(sources)).toEqual([]);
  });

  test("the check sees a wrong name", { timeout: 300_000 }, () => {
    const code = 'import { nothingOfThisName } from "small-dataset-audio";\n';
    expect(problems(new Map([[join(root, "wrong.mts"), code]]))[0]).toContain("nothingOfThisName");
  });
});
