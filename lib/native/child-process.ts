/**
 * Node's child_process, loaded on first use: it takes longer than loading a model, and few programs
 * need it.
 */
export function childProcess(): typeof import("node:child_process") {
  return process.getBuiltinModule("node:child_process");
}
