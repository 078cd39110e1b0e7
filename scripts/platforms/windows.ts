import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { runs } from "../lib/process.js";
import { runCheck } from "./check.js";
import { missing, type Outcome, type Trial } from "./outcome.js";

/**
 * Runs the addons for Windows in Node for Windows under wine.
 *
 * @param node the path of node.exe
 */
export function underWine(trial: Trial, node: string): Outcome {
  if (!runs("wine")) return missing("wine", "wine");
  const prefix = join(trial.work, "wine");
  mkdirSync(prefix, { recursive: true });
  const env = {
    WINEPREFIX: prefix,
    WINEDEBUG: "-all",
    NODE_SKIP_PLATFORM_CHECK: "1", // wine calls itself an old Windows
    SDA_COMMAND: "null", // there, a program starts others as usual
  };
  // Node for Windows takes no pipes of wine. The shell gives it files.
  const command = ["sh", "-c", 'exec wine "$@" 2>"$0"', join(prefix, "stderr"), node];
  try {
    return runCheck(trial, { what: "wine", command, env, path: windowsPath });
  } finally {
    spawnSync("wineserver", ["--kill"], { env: { ...process.env, ...env }, stdio: "ignore" });
  }
}

/** wine shows the root of this machine as a drive. */
function windowsPath(path: string): string {
  return `Z:${path.replaceAll("/", "\\")}`;
}
