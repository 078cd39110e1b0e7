/** The exported values of the packages and the examples in their docstrings. */
import { join } from "node:path";
import ts from "typescript";
import { root } from "./tables.js";
import { codeBlocks } from "./workplace.js";

/** The modules that users import, with their sources. */
export const MODULES = [
  { module: "small-dataset-audio", entry: "lib/index.ts" },
  { module: "small-dataset-audio/torch", entry: "lib/torch/index.ts" },
  { module: "small-dataset-audio-server", entry: "server/src/index.ts" },
] as const;

export interface Example {
  /** Such as "loadModel", "ModelLibrary.search" or, for a second one, "loadModel 2" */
  title: string;
  code: string;
}

export interface ModuleExports {
  module: string;
  /** Names of the exported functions, classes and constants */
  values: string[];
  /** Names of `values` that have no example */
  withoutExample: string[];
  /** Titles of examples that are not exactly one block of JavaScript */
  notCode: string[];
  /** The examples of the exports and their members; those of an earlier module are left out */
  examples: Example[];
}

/** Reads the docstrings of all modules. */
export function moduleExports(): ModuleExports[] {
  const program = sourceProgram(MODULES.map(({ entry }) => join(root, entry)));
  const checker = program.getTypeChecker();
  const seen = new Set<ts.Symbol>();
  return MODULES.map(({ module, entry }) => {
    const file = program.getSourceFile(join(root, entry)) as ts.SourceFile;
    const found: ModuleExports = {
      module,
      values: [],
      withoutExample: [],
      notCode: [],
      examples: [],
    };
    for (const exported of checker.getExportsOfModule(symbolOf(file))) {
      if (exported.name === "default") continue; // a second name of another export
      const isAlias = (exported.flags & ts.SymbolFlags.Alias) !== 0;
      const symbol = isAlias ? checker.getAliasedSymbol(exported) : exported;
      const declarations = symbol.declarations ?? [];
      if ((symbol.flags & ts.SymbolFlags.Value) !== 0) {
        found.values.push(exported.name);
        if (declarations.flatMap(exampleTexts).length === 0) {
          found.withoutExample.push(exported.name);
        }
      }
      if (seen.has(symbol)) continue;
      seen.add(symbol);
      for (const [title, text] of titledTexts(exported.name, declarations)) {
        const blocks = codeBlocks(`${text}\n`);
        const [code] = blocks;
        if (code === undefined || blocks.length > 1) found.notCode.push(title);
        else found.examples.push({ title, code });
      }
    }
    return found;
  });
}

/** A program of the packages' own files. Other packages are left out to save time. */
function sourceProgram(entries: string[]): ts.Program {
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    noLib: true,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  host.resolveModuleNameLiterals = (names, file) =>
    names.map(({ text }) =>
      text.startsWith(".")
        ? ts.resolveModuleName(text, file, options, host)
        : { resolvedModule: undefined },
    );
  return ts.createProgram(entries, options, host);
}

/** The symbol of a module. The compiler's public types leave the property out. */
function symbolOf(file: ts.SourceFile): ts.Symbol {
  return (file as unknown as { symbol: ts.Symbol }).symbol;
}

/** [title, text] of the examples of an export and of its public members. */
function titledTexts(name: string, declarations: ts.Declaration[]): [string, string][] {
  const numbered = (title: string, texts: string[]) =>
    texts.map((text, i): [string, string] => [i === 0 ? title : `${title} ${i + 1}`, text]);
  const members = declarations.flatMap((declaration) =>
    ts.isClassDeclaration(declaration) || ts.isInterfaceDeclaration(declaration)
      ? [...declaration.members]
      : [],
  );
  const titles = new Set(members.map((member) => member.name?.getText() ?? "constructor"));
  return [
    ...numbered(name, declarations.flatMap(exampleTexts)),
    ...[...titles].flatMap((title) => {
      const named = members.filter((member) => (member.name?.getText() ?? "constructor") === title);
      return numbered(`${name}.${title}`, named.flatMap(exampleTexts));
    }),
  ];
}

function exampleTexts(declaration: ts.Node): string[] {
  return ts
    .getJSDocTags(declaration)
    .filter(({ tagName }) => tagName.text === "example")
    .map(({ comment }) => ts.getTextOfJSDocComment(comment) ?? "");
}
