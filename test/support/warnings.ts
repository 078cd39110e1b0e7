import { afterEach, beforeEach } from "vitest";

/** A process warning; those of this package have a code. */
export interface ProcessWarning extends Error {
  code?: string;
  detail?: string;
}

/**
 * Collects the process warnings of each test in the file or group that calls this. The array is
 * empty again when the next test begins.
 */
export function collectWarnings(): ProcessWarning[] {
  const found: ProcessWarning[] = [];
  const listen = (warning: ProcessWarning) => found.push(warning);
  beforeEach(() => {
    found.length = 0;
    process.on("warning", listen);
  });
  afterEach(() => {
    process.off("warning", listen);
  });
  return found;
}

/** The process warnings that `action` causes. */
export async function warningsOf(action: () => Promise<unknown>): Promise<ProcessWarning[]> {
  const found: ProcessWarning[] = [];
  const listen = (warning: ProcessWarning) => found.push(warning);
  process.on("warning", listen);
  try {
    await action();
    await new Promise((done) => setImmediate(done)); // Node emits warnings in the next turn
  } finally {
    process.off("warning", listen);
  }
  return found;
}
