import type { Command } from "commander";
import { addCommonOptions } from "../cli/common-options.js";
import { type Io, writeJson } from "../cli/io.js";
import { bytesText, countText, plural, printable, table, tableWidth } from "../cli/text.js";
import { SOURCE_HELP, sourceOf } from "./source.js";

const EXAMPLES = `
Examples:
  torch-checkpoint ls model.pt
  torch-checkpoint ls https://example.com/model.safetensors
  torch-checkpoint ls model.pt --json | jq '.tensors[].name'

A tensor that another one shares its memory with is marked "= NAME".`;

export function addLsCommand(program: Command, io: Io): void {
  const command = program
    .command("ls")
    .summary("list the tensors in a file")
    .description("List the tensors in a file with their types and shapes. No weights are read.")
    .argument("<file>", SOURCE_HELP)
    .addHelpText("after", EXAMPLES)
    .action((file: string, settings: { json?: boolean }) => list(file, settings, io));
  addCommonOptions(command);
}

async function list(file: string, { json }: { json?: boolean }, io: Io): Promise<void> {
  const { assess } = await import("../torch/assess.js");
  const { inspect } = await import("../torch/inspect.js");
  const found = await inspect(sourceOf(file), { signal: io.signal });
  const { verdict, refused } = assess(found);
  if (json) return writeJson(io, { ...found, verdict, refusedGlobals: refused });
  const rows = found.tensors.map(({ name, dtype, shape, bytes, aliasOf }) => [
    printable(name),
    dtype,
    `[${shape.join(", ")}]`,
    aliasOf === undefined ? bytes : `= ${printable(aliasOf)}`,
  ]);
  if (rows.length > 0) {
    const head = ["TENSOR", "DTYPE", "SHAPE", "BYTES"];
    io.stdout.write(table([head, ...rows], { width: tableWidth(io) }));
  }
  const own = found.tensors.filter(({ aliasOf }) => aliasOf === undefined);
  const elements = own.reduce((sum, { shape }) => sum + shape.reduce((n, d) => n * d, 1), 0);
  const counts = `${plural(own.length, "tensor")}, ${countText(elements)} elements`;
  io.stderr.write(`${found.container}, ${bytesText(found.bytes)}: ${counts}\n`);
  if (verdict !== "safe") {
    io.stderr.write(`refused: the file refers to ${refused.map(printable).join(", ")}\n`);
  }
}
