/** What a person should know but no caller waits for comes as a process warning, `process.on("warning", …)`. */
export type LibraryWarning =
  | "SDA_INDEX_RECOVERED"
  | "SDA_ENTRY_SKIPPED"
  | "SDA_FILE_UNREADABLE"
  | "SDA_CLEANUP_FAILED"
  | "SDA_NOT_SYNCED";

export function warn(code: LibraryWarning, message: string, detail?: string): void {
  process.emitWarning(message, {
    type: "SdaWarning",
    code,
    ...(detail !== undefined && { detail }),
  });
}
