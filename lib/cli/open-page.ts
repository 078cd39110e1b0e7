import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/**
 * Opens an address in the user's browser, if there is a screen to show it on. The address may hold
 * a secret, and all users of the machine can list the arguments of a process. So the browser gets
 * a file that only this user can read, and which leads to the address.
 *
 * @param start starts the browser; only tests give another one
 * @returns a function that removes the file
 */
export async function openPage(
  address: string,
  start = startBrowser,
): Promise<() => Promise<void>> {
  let folder: string | undefined;
  const remove = async () => {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true }).catch(() => {});
  };
  try {
    folder = await mkdtemp(join(tmpdir(), "sda-open-"));
    const file = join(folder, "open.html");
    await writeFile(file, pageTo(address), { mode: 0o600, flag: "wx" });
    await start(pathToFileURL(file).href);
  } catch {
    // The address is printed as well, so a missing browser is no failure.
  }
  return remove;
}

/** Whether a browser can show itself: not over SSH, and not in a container. */
export function hasScreen(): boolean {
  const { env, platform } = process;
  if (env["SSH_CONNECTION"] || env["CI"]) return false;
  if (platform === "win32" || platform === "darwin") return true;
  return Boolean(env["DISPLAY"] || env["WAYLAND_DISPLAY"]);
}

async function startBrowser(address: string): Promise<void> {
  const { default: open } = await import("open");
  await open(address);
}

function pageTo(address: string): string {
  const escaped = address.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  return (
    '<!doctype html><meta charset="utf-8"><title>Small DataSet Audio</title>' +
    `<meta http-equiv="refresh" content="0;url=${escaped}"><a href="${escaped}">Open</a>\n`
  );
}
