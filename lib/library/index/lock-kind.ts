import { checkOneOf } from "../../base/check.js";

/**
 * How the writers of a models folder exclude each other. All programs that change a folder must use
 * the same kind.
 *
 * - "flock": a lock of the kernel, which ends with its process
 * - "file": a lock file that its holder creates, touches every two seconds and deletes, for file
 *   systems without `flock`, such as some network file systems. The lock of a killed process of
 *   this machine is free at once, that of another machine after 15 seconds
 * - "none": only writers of this process exclude each other. A change of another program in the
 *   same moment is noticed and not overwritten, but an interrupted change is not cleaned up before
 *   `repairIndex`
 */
export type LockKind = "flock" | "file" | "none";
export const LOCK_KINDS = ["flock", "file", "none"] as const satisfies LockKind[];

export function checkLockKind(kind: unknown): LockKind | undefined {
  return kind === undefined ? undefined : checkOneOf("lock", kind, LOCK_KINDS);
}
