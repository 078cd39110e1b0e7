/**
 * LibTorch as a backend of the engine: for CUDA and MPS, and for the CPU on request. LibTorch is
 * searched for and opened only when a model is to compute with it. Each worker thread has its own
 * instance of this module.
 */
import { join } from "node:path";
import { SdaError } from "../base/errors.js";
import { errorText, type Probe, probe, requireAddon, requireFile } from "./addon.js";
import { addonFile } from "./addon-file.js";
import {
  findLibtorch,
  foundIn,
  type Libtorch,
  type LibtorchSearch,
  libtorchCommand,
  libtorchLibraries,
  readBuildRecord,
  sameMinor,
  searchLibtorch,
} from "./libtorch.js";
import { checkpointAddon } from "./load.js";
import { engineAddon } from "./load-engine.js";
import { exists } from "./permission.js";
import type { Backend, LibtorchAddon } from "./types.js";

let attached: LibtorchAddon | undefined;
let isAutoDone = false;

/**
 * Loads LibTorch if a model on this device needs it.
 *
 * @param device as `Device`. "auto" needs LibTorch only where there seems to be a GPU; if it can't
 *   be loaded there, the model computes on the CPU.
 * @throws SdaError ERR_SDA_LIBTORCH: LibTorch is missing, cannot be opened or has another version;
 *   ERR_SDA_NATIVE: the backend's addon is missing or cannot be loaded
 */
export function prepareBackend(device: string, backend: Backend): void {
  if (attached || (backend === "auto" && device === "cpu")) return;
  if (backend === "libtorch" || device !== "auto") {
    attachBackend({ cuda: device !== "cpu" && device !== "mps" });
    return;
  }
  if (isAutoDone) return;
  isAutoDone = true;
  if (!seemsToHaveGpu() || !exists(addonFile("sda_libtorch"))) return;
  try {
    attachBackend({ cuda: true });
  } catch (error) {
    if (!(error instanceof SdaError)) throw error;
  }
}

/**
 * Loads LibTorch and lets the engine use it.
 *
 * @param options.cuda prefer a LibTorch with CUDA
 * @throws as `prepareBackend`
 */
export function attachBackend({ cuda = false } = {}): LibtorchAddon {
  if (attached) return attached;
  const libtorch = findLibtorch({ ...readBuildRecord(requireFile("sda_libtorch")), cuda });
  const addon = open(libtorch);
  engineAddon().attachBackend(addon.backend);
  attached = addon;
  return addon;
}

function open(libtorch: Libtorch): LibtorchAddon {
  try {
    checkpointAddon().preload(libtorchLibraries(libtorch.path));
  } catch (error) {
    if (error instanceof SdaError) throw error;
    throw new SdaError(
      "ERR_SDA_LIBTORCH",
      `LibTorch ${libtorch.version} in ${libtorch.path} (from: ${libtorch.source}) cannot be opened: ${errorText(error)}\nTo install another: ${libtorchCommand()}`,
      { ...libtorch },
      { cause: error },
    );
  }
  const addon = requireAddon<LibtorchAddon>("sda_libtorch");
  // If another module of this process opened a LibTorch earlier, the addon uses that one.
  const loaded = addon.info().version;
  if (sameMinor(loaded, addon.builtWith)) return addon;
  throw new SdaError(
    "ERR_SDA_LIBTORCH",
    `This process runs LibTorch ${loaded}, but the backend was built with ${addon.builtWith}. Found: ${libtorch.path}\nTo install the right version: ${libtorchCommand(addon.builtWith)}`,
    { loaded, builtWith: addon.builtWith, ...libtorch },
  );
}

/** Looks for the files of a driver, which takes no time. Whether the GPU works is not known. */
function seemsToHaveGpu(): boolean {
  if (process.platform === "darwin") return process.arch === "arm64";
  const windows = process.env["SystemRoot"] ?? "C:\\Windows";
  const files =
    process.platform === "win32"
      ? [join(windows, "System32", "nvcuda.dll")]
      : ["/dev/nvidiactl", "/dev/dxg"];
  return files.some((file) => exists(file));
}

/** Searches the LibTorch for the backend without loading it. */
export function searchBackendLibtorch(): LibtorchSearch {
  return searchLibtorch(readBuildRecord(addonFile("sda_libtorch")));
}

/**
 * Loads the backend and its LibTorch in a child process.
 *
 * @param search the result of `searchBackendLibtorch`
 */
export function probeBackend(search: LibtorchSearch): Promise<Probe> {
  let libraries: string[];
  try {
    const { builtWith } = readBuildRecord(requireFile("sda_libtorch"));
    libraries = libtorchLibraries(foundIn(search, builtWith).path);
  } catch (error) {
    return Promise.resolve({ ok: false, message: errorText(error) });
  }
  return probe(
    "sda_libtorch",
    `const [checkpoint, backend, ...libraries] = process.argv.slice(1);
    require(checkpoint).preload(libraries);
    const { version, cudaDevices } = require(backend).info();
    console.log("LibTorch " + version + ", CUDA devices: " + cudaDevices);`,
    [addonFile("sda_checkpoint"), addonFile("sda_libtorch"), ...libraries],
  );
}
