/** Builds test/process/fault_layer.c, which needs glibc and a C compiler. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { needs } from "./needs.js";

const source = fileURLToPath(new URL("../process/fault_layer.c", import.meta.url));

export function faultLayerIn(folder: string): string {
  return join(folder, "fault_layer.so");
}

/** @returns the library to preload; null: it can't be built here */
export function faultLayer(folder: string): string | null {
  const layer = faultLayerIn(folder);
  const options = ["-std=c11", "-shared", "-fPIC", "-O1", "-o", layer, source, "-ldl"];
  const isBuilt =
    process.platform === "linux" && spawnSync(process.env["CC"] ?? "cc", options).status === 0;
  return needs(isBuilt, "faults of the disk need glibc and a C compiler") ? layer : null;
}

/** The environment of a process in which all calls of these kinds fail that concern a folder. */
export function failing(
  layer: string,
  folder: string,
  kinds: string,
  errno: number,
): Record<string, string> {
  return {
    // A sanitizer's runtime must stay the first library.
    LD_PRELOAD: [process.env["LD_PRELOAD"] ?? "", layer].join(" ").trim(),
    SDA_FAULT_FOLDER: folder,
    SDA_FAULT_KINDS: kinds,
    SDA_FAULT_AT: "1",
    SDA_FAULT: `${errno}+`,
  };
}
