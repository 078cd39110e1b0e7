import { existsSync } from "node:fs";
import { addonFile } from "../../lib/native/addon-file.js";
import { searchBackendLibtorch } from "../../lib/native/backend.js";
import { needs } from "./needs.js";

/** Whether the addon for LibTorch is built and finds its LibTorch. Most users have neither. */
export const libtorchUsable = needs(
  existsSync(addonFile("sda_libtorch")) && searchBackendLibtorch().found !== undefined,
  "LibTorch as a backend needs its addon (npm run build:libtorch)",
);
