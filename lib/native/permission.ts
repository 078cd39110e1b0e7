/**
 * Node's permission model (`node --permission`). It does not apply to addons, so their methods
 * check here whether this process may use a path.
 */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { SdaError } from "../base/errors.js";
import type { CheckpointAddon, EngineAddon, ImageHandle, SaveTarget } from "./types.js";

/** The types of the oldest supported Node lack it. */
interface Permission {
  has(scope: string, reference?: string): boolean;
}

/** Undefined: Node runs without a permission model. */
function permission(): Permission | undefined {
  return (process as { permission?: Permission }).permission;
}

type Scope = "read" | "write";

function may(scope: Scope, path: string): boolean {
  return permission()?.has(`fs.${scope}`, resolve(path)) ?? true;
}

export function mayRead(path: string): boolean {
  return may("read", path);
}

/** As `existsSync`, which throws under the permission model. */
export function exists(path: string): boolean {
  return mayRead(path) && existsSync(path);
}

/** @throws SdaError ERR_SDA_IO */
function check(scope: Scope, path: string): void {
  if (may(scope, path)) return;
  const problem = `Node's permission model refuses it without --allow-fs-${scope}=${resolve(path)}`;
  throw new SdaError(
    "ERR_SDA_IO",
    `${path} can't be ${scope === "read" ? "read" : "written"}: ${problem}`,
    { path, errno: "EACCES" },
  );
}

/** A method whose first argument is the path of a file or folder. */
type OfPath<A extends unknown[], R> = (path: string, ...rest: A) => R;

function checked<A extends unknown[], R>(scope: Scope, method: OfPath<A, R>): OfPath<A, R> {
  return (path, ...rest) => {
    check(scope, path);
    return method(path, ...rest);
  };
}

/** The same for a method that also takes a file in memory. */
function checkedSource<A extends unknown[], R>(
  method: (source: string | ImageHandle, ...rest: A) => R,
): (source: string | ImageHandle, ...rest: A) => R {
  return (source, ...rest) => {
    if (typeof source === "string") check("read", source);
    return method(source, ...rest);
  };
}

function checkTarget(target: SaveTarget): void {
  check("write", "path" in target ? target.path : target.folder);
}

/** The reader, whose methods check their paths. */
export function guardCheckpoint(addon: CheckpointAddon): CheckpointAddon {
  if (permission() === undefined) return addon;
  const methods: Partial<CheckpointAddon> = {
    read: checkedSource(addon.read),
    listArchive: checkedSource(addon.listArchive),
    readAtOnce: () => undefined, // then `read` tells the reason
    outline: checked("read", addon.outline),
    outlineAtOnce: () => undefined, // then `outline` tells the reason
    inspect: checkedSource(addon.inspect),
    scanPickle: checked("read", addon.scanPickle),
    mapParts: checked("read", addon.mapParts),
    verify: checked("read", addon.verify),
    openSource: checked("read", addon.openSource),
    readIndex: checked("read", addon.readIndex),
    removeStaleTemps: checked("write", addon.removeStaleTemps),
    tryLock: checked("write", addon.tryLock),
    canLock: async (folder) => may("write", folder) && addon.canLock(folder),
    save(plan, target, ...rest) {
      checkTarget(target);
      return addon.save(plan, target, ...rest);
    },
    rename(from, to, ...rest) {
      for (const path of [from, to]) check("write", path);
      return addon.rename(from, to, ...rest);
    },
  };
  return Object.assign(Object.create(addon), methods);
}

/** The engine, whose methods check their paths. */
export function guardEngine(addon: EngineAddon): EngineAddon {
  if (permission() === undefined) return addon;
  const methods: Partial<EngineAddon> = {
    open: checked("read", addon.open),
    openAtOnce: () => undefined, // then `open` tells the reason
    save(plan, target, ...rest) {
      checkTarget(target);
      return addon.save(plan, target, ...rest);
    },
  };
  return Object.assign(Object.create(addon), methods);
}
