/**
 * Each test file, and every process that it starts, has a temporary folder of its own, which goes
 * when the file is done. So a file that counts or lists temporary files sees none of another's.
 */
import { chmodSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

// A path without links and short enough for a Unix socket below it.
const folder = mkdtempSync(join(realpathSync(tmpdir()), "sda-"));
chmodSync(folder, 0o755); // some tests start processes of another user
for (const name of ["TMPDIR", "TEMP", "TMP"]) process.env[name] = folder;
// `sda serve` keeps its token here.
for (const name of ["XDG_CONFIG_HOME", "APPDATA"]) process.env[name] = join(folder, "config");

// Hooks run in reverse order, so this one comes after those of the file.
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
