import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach } from "vitest";

/** A new folder, which is removed after the test. Made outside of a test, it lasts for the file. */
export function temporaryFolder(parent = tmpdir()): string {
  const folder = mkdtempSync(join(parent, "sda-test-"));
  (isInTest ? ofTest : ofFile).push(folder);
  return folder;
}

const ofTest: string[] = [];
const ofFile: string[] = [];
let isInTest = false;

function removeAll(folders: string[]): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

beforeEach(() => {
  isInTest = true;
});
afterEach(() => {
  isInTest = false;
  removeAll(ofTest);
});
afterAll(() => removeAll(ofFile));
