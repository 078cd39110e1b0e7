import type { Command } from "commander";
import type { Probe } from "../native/addon.js";
import { addonFile } from "../native/addon-file.js";
import { probeBackend, searchBackendLibtorch } from "../native/backend.js";
import { checkpointAddon, checkpointFile } from "../native/load.js";
import { probeEngine } from "../native/load-engine.js";
import { exists } from "../native/permission.js";
import { addCommonOptions } from "./common-options.js";
import { Failed, type Io, writeJson } from "./io.js";

export function addDoctorCommand(program: Command, io: Io): void {
  const command = program
    .command("doctor")
    .summary("check that this machine can read files and make sound")
    .description(
      "Check that this machine can read files and make sound. " +
        "Shows whether the native parts load. LibTorch, which only GPUs need, may be missing.",
    )
    .action(async (settings: { json?: boolean }) => {
      const report = await examine();
      if (settings.json) writeJson(io, report);
      else io.stderr.write(describe(report));
      if (!report.reader.ok || !report.engine.ok) throw new Failed();
    });
  addCommonOptions(command);
}

type Report = Awaited<ReturnType<typeof examine>>;

async function examine() {
  const search = searchBackendLibtorch();
  return {
    platform: `${process.platform}-${process.arch}`,
    node: process.version,
    reader: { file: checkpointFile(), ...probeReader() },
    engine: { file: addonFile("sda_engine"), ...(await probeEngine()) },
    libtorch: {
      file: addonFile("sda_libtorch"),
      ...(await probeBackend(search)),
      ...search,
    },
  };
}

function probeReader(): Probe {
  try {
    checkpointAddon();
    return { ok: true, message: "loads" };
  } catch (error) {
    return { ok: false, message: (error as Error).message };
  }
}

function describe({ platform, node, reader, engine, libtorch }: Report): string {
  const { found, tried } = libtorch;
  const part = (name: string, { file, ok, message }: Report["engine"], failed = "FAIL") => {
    const missing = exists(file) ? "" : " (missing)";
    const indented = message.replaceAll("\n", "\n     ");
    return `${ok ? "ok  " : failed} ${name}: ${file}${missing}\n     ${indented}\n`;
  };
  return [
    `Node ${node}, ${platform}\n`,
    part("file reader", reader),
    part("engine", engine),
    part("LibTorch, for GPUs only", libtorch, "no  "),
    found
      ? `     LibTorch ${found.version}: ${found.path} (from: ${found.source})\n`
      : "     LibTorch was not found\n",
    ...tried.map((t) => `     searched ${t.source}: ${t.place}: ${t.problem}\n`),
  ].join("");
}
