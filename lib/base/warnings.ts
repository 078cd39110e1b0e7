/**
 * The codes of the package's process warnings. They report problems that make no call fail, and
 * arrive at `process.on("warning", …)`.
 */
export type LibraryWarning =
  | "SDA_INDEX_RECOVERED"
  | "SDA_INDEX_NEWER"
  | "SDA_FILE_RECOVERED"
  | "SDA_ENTRY_SKIPPED"
  | "SDA_FILE_UNREADABLE"
  | "SDA_CLEANUP_FAILED"
  | "SDA_NOT_SYNCED"
  | "SDA_SOUNDS_DIFFERENT";

/** Emits a process warning of the type "SdaWarning". */
export function warn(code: LibraryWarning, message: string, detail?: string): void {
  process.emitWarning(message, {
    type: "SdaWarning",
    code,
    ...(detail !== undefined && { detail }),
  });
}
