import { randomBytes } from "node:crypto";
import { chmod, link, lstat, open, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder } from "../base/make-folder.js";
import { replaceFile } from "../base/replace-file.js";
import { syncFile } from "../base/sync.js";
import { configFolder } from "../base/user-folders.js";

const FILE = "server-token";
const FORM = /^[\w-]{32,}$/;

/** The token of this user's servers. */
export interface ServerToken {
  token: string;
  /** Why the token is only valid for this run; undefined: the next server has the same one */
  problem?: string;
}

/**
 * Reads the token that `sda serve` uses when none is given. The first call makes it. When it cannot
 * be kept, the token is for this run only.
 */
export async function serverToken(): Promise<ServerToken> {
  const folder = configFolder();
  if (folder === undefined) {
    return { token: draw(), problem: "this user has no home folder; set HOME or XDG_CONFIG_HOME" };
  }
  try {
    await makeFolder(folder);
    const path = join(folder, FILE);
    return { token: (await readToken(path)) ?? (await keepToken(path)) };
  } catch (error) {
    return { token: draw(), problem: (error as Error).message };
  }
}

function draw(): string {
  return randomBytes(24).toString("base64url");
}

/** @returns undefined: there is no file, or no token in it */
async function readToken(path: string): Promise<string | undefined> {
  try {
    const { mode } = await lstat(path);
    const text = (await readFile(path, "utf8")).trim();
    if (!FORM.test(text)) return undefined;
    // Another program may have copied the file without its mode.
    if (process.platform !== "win32" && (mode & 0o077) !== 0) await chmod(path, 0o600);
    return text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Writes a new token. Of two servers that start at the same time, both get the same one. */
async function keepToken(path: string): Promise<string> {
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString("hex")}.tmp`;
  const token = draw();
  const file = await open(temporary, "wx", 0o600);
  try {
    await file.writeFile(`${token}\n`);
    await syncFile(file);
  } finally {
    await file.close();
  }
  try {
    await link(temporary, path); // fails if the other server was faster
    return token;
  } catch {
    const other = await readToken(path);
    if (other !== undefined) return other;
    // The file holds no token, or its file system has no links.
    await replaceFile(temporary, path);
    return token;
  } finally {
    await unlink(temporary).catch(() => {}); // it may have been renamed
  }
}
