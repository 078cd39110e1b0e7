import { existsSync } from "node:fs";
import { join } from "node:path";
import { addonFile } from "../../lib/native/addon-file.js";
import { packageRoot } from "../../lib/native/package-root.js";
import { needs } from "./needs.js";

/** A build without the engine is supported: everything but sound works. */
export const engineBuilt = needs(
  existsSync(addonFile("sda_engine")),
  "sound needs the engine addon (npm run build)",
);

/** Whether dist/ of this package is there. */
export const packageBuilt = existsSync(join(packageRoot, "dist/index.js"));

/** Whether the server package is built, its page included. */
export const serverBuilt = existsSync(join(packageRoot, "server/dist/page/index.html"));

export const NO_SERVER = "the server package is not built (npm run build)";
