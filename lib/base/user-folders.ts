/** The folders of this program in the user's home, where each platform expects them. */
import { homedir } from "node:os";
import { join } from "node:path";

const NAME = "small-dataset-audio";

/** The folder for settings; undefined: this user has no home folder. */
export function configFolder(): string | undefined {
  if (process.platform === "win32") return inFolder(process.env["APPDATA"]);
  const named = process.env["XDG_CONFIG_HOME"];
  const standard = process.platform === "darwin" ? "Library/Application Support" : ".config";
  return inFolder(named || inHome(standard));
}

/** The folder for downloads; undefined: this user has no home folder. */
export function downloadFolder(): string | undefined {
  return inFolder(process.env["XDG_CACHE_HOME"] || inHome(".cache"));
}

function inFolder(folder: string | undefined): string | undefined {
  return folder ? join(folder, NAME) : undefined;
}

function inHome(folder: string): string | undefined {
  try {
    const home = homedir();
    return home === "" ? undefined : join(home, folder);
  } catch {
    return undefined; // HOME is not set, and the system has no entry for this user
  }
}
