import type { Command } from "commander";
import { type Io, printable, table, writeJson } from "./io.js";
import { addCommonOptions } from "./options.js";

export function addInspectCommand(program: Command, io: Io): void {
  const command = program
    .command("inspect")
    .summary("show what a torch.save file holds")
    .description(
      "Show the tensors and the Python classes that a torch.save file (.sda, .pt, .pth) names. Nothing in it is executed.",
    )
    .argument("<file>", "any file that torch.save wrote")
    .action((file: string, settings: { json?: boolean }) => inspect(file, settings, io));
  addCommonOptions(command);
}

async function inspect(file: string, settings: { json?: boolean }, io: Io): Promise<void> {
  const torch = await import("../torch/index.js");
  const found = await torch.inspect(file, { signal: io.signal });
  if (settings.json) return writeJson(io, found);
  const tensors = found.tensors.map((t) => [
    printable(t.name),
    t.dtype,
    `[${t.shape.join(", ")}]`,
    t.bytes,
  ]);
  io.stderr.write(
    `${file}: ${found.container} container, ${found.bytes} bytes, ${found.tensors.length} tensors\n\n${table(
      [["TENSOR", "DTYPE", "SHAPE", "BYTES"], ...tensors],
    )}\nPython names it refers to:\n${found.globals.map((name) => `  ${printable(name)}\n`).join("")}`,
  );
}
