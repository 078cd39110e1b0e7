import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { readSharedLibrary, systemRequirements } from "../lib/elf.js";
import { TARGETS } from "../lib/targets.js";
import type { Outcome, Trial } from "./outcome.js";

const ADDONS = ["sda_checkpoint.node", "sda_engine.node"];
/** The oldest glibc that the packages promise to run on. */
const GLIBC = "2.28";
const LARGEST = 4e6;
/** How a file of each system begins. */
const MAGIC = { linux: "7f454c46", win32: "4d5a", darwin: "cffaedfe" };
/** What an addon for Linux may ask for: parts of the C library. */
const ALLOWED = /^(libc|libm|libdl|libpthread|librt|ld-linux-[a-z0-9-]+)\.so/;

/** Looks at the addons' files: their kind, size and what they need of the system. */
export function inspectAddons({ platform, addons }: Trial): Outcome {
  const { os, libc } = TARGETS[platform];
  const problems: string[] = [];
  let bytes = 0;
  let newest = "";
  for (const name of ADDONS) {
    const file = join(addons, name);
    bytes += statSync(file).size;
    if (!readFileSync(file).toString("hex", 0, 4).startsWith(MAGIC[os]))
      problems.push(`${name} is no file of ${os}`);
    if (os !== "linux") continue;
    const { needed, versions } = readSharedLibrary(file);
    const foreign = needed.filter((library) => !ALLOWED.test(library));
    if (foreign.length > 0) problems.push(`${name} needs ${foreign.join(", ")}`);
    const { glibc = "", ...others } = systemRequirements(versions);
    if (Object.keys(others).length > 0)
      problems.push(`${name} needs a C++ runtime: ${JSON.stringify(others)}`);
    if (libc === "musl" && glibc) problems.push(`${name} needs glibc ${glibc}`);
    if (isNewer(glibc, GLIBC)) problems.push(`${name} needs glibc ${glibc}, newer than ${GLIBC}`);
    if (isNewer(glibc, newest)) newest = glibc;
  }
  if (bytes > LARGEST) problems.push(`the addons have ${bytes} bytes, more than ${LARGEST}`);
  const needs = newest ? `, glibc ${newest}` : "";
  return { what: "the files", problems, figures: `${(bytes / 1e6).toFixed(1)} MB${needs}` };
}

function isNewer(version: string, than: string): boolean {
  return version.localeCompare(than, "en", { numeric: true }) > 0;
}
