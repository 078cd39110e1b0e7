import { python, runPython } from "./python.js";

/** Whether that Python has torch and numpy. */
export const hasTorch: boolean = python !== null && canImport();

if (!hasTorch)
  console.warn("No Python with torch (see SDA_PYTHON): comparisons with it are skipped.");

function canImport(): boolean {
  try {
    runPython(["-c", "import torch, numpy"]);
    return true;
  } catch {
    return false;
  }
}
