import { rmSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../lib/native/package-root.js";

for (const folder of ["build", "dist", "prebuilds", "out"]) {
  rmSync(join(packageRoot, folder), { recursive: true, force: true });
}
