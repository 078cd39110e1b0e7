import { rename } from "node:fs/promises";
import { errnoOf } from "./io-error.js";
import { pause } from "./on-abort.js";

/** What Windows answers while another program has the file open, such as a virus scanner. */
const IN_USE = ["EPERM", "EACCES", "EBUSY"];
const WAIT_MS = 5000;
const PAUSE_MS = 10;

/**
 * Renames a file; a file at `to` is replaced in one step. Windows refuses that while another
 * program has the file at `to` open, so this function tries again for a short time there.
 */
export async function replaceFile(from: string, to: string): Promise<void> {
  const deadline = performance.now() + (process.platform === "win32" ? WAIT_MS : 0);
  for (;;) {
    try {
      return await rename(from, to);
    } catch (error) {
      if (!IN_USE.includes(errnoOf(error) ?? "") || performance.now() >= deadline) throw error;
    }
    await pause(PAUSE_MS, undefined);
  }
}
