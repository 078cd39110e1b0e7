import { existsSync } from "node:fs";
import { addonFile } from "../../lib/native/load.js";

/** A build of the reader alone is a supported one; what needs the engine is skipped then, and says so. */
export const engineBuilt = existsSync(addonFile("sda_engine"));

if (!engineBuilt) console.warn("The engine addon is not built: tests of sound are skipped.");
