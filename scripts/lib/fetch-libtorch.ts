import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  cachedLibtorch,
  cacheFolder,
  checkLibtorch,
  LIBTORCH_PINNED,
  type Libtorch,
  pythonCommands,
} from "../../lib/native/libtorch.js";
import { BuildError, run, runs, say } from "./process.js";

const LEFTOVER_MS = 6 * 60 * 60 * 1000;
const UNPACK = fileURLToPath(new URL("unpack_wheel.py", import.meta.url));

/**
 * What pip is asked for. PyTorch's wheel holds LibTorch: libraries, headers, licences. On Linux its plain version
 * number may be a CUDA build of several times the size, so that only the CPU build's own number will do.
 */
const REQUIREMENT = `torch==${LIBTORCH_PINNED}${process.platform === "linux" ? "+cpu" : ""}`;

/** Wheels are made for one Python version each, but their LibTorch is the same: any will do where the own has none. */
const PYTHON_CHOICES = [[], ["--python-version", "3.11"]];

/**
 * Fetches the pinned LibTorch into the user's cache, by pip's ordinary client. Every step is done in a folder of this
 * process and ends in a rename: an interrupted fetch leaves nothing half done, a complete wheel is taken up again, and
 * of two fetches at the same time the second to finish uses the result of the first.
 */
export function fetchLibtorch(): Libtorch {
  const target = cachedLibtorch(LIBTORCH_PINNED);
  const python = pythonCommands().find((p) => runs(p, ["-m", "pip", "--version"]));
  if (!python)
    throw failure("there is no Python with pip (on Debian: apt-get install python3-pip)");

  const downloads = join(cacheFolder(), "downloads");
  mkdirSync(downloads, { recursive: true });
  removeLeftovers();
  const work = mkdtempSync(join(cacheFolder(), "fetch-"));
  try {
    const kept = readdirSync(downloads).find(
      (n) => n.startsWith(`torch-${LIBTORCH_PINNED}`) && n.endsWith(".whl"),
    );
    let wheel = kept && join(downloads, kept);
    let unpacked = wheel ? unpack(python, wheel, work) : undefined;
    if (!unpacked) {
      wheel = download(python, work, downloads);
      unpacked = unpack(python, wheel, work);
      if (!unpacked) throw failure(`${wheel} is damaged`);
    }
    putInPlace(unpacked, target, work);
    if (wheel) rmSync(wheel, { force: true });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return { path: target, version: LIBTORCH_PINNED, source: "cache" };
}

function download(python: string, work: string, downloads: string): string {
  const folder = join(work, "wheel");
  for (const choice of PYTHON_CHOICES) {
    try {
      const args = [
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary=:all:",
        ...choice,
        "--dest",
        folder,
      ];
      // pip's own progress goes to stderr with the rest of what is not a result. Its working folder is ours, since
      // Python takes modules from there.
      run(python, [...args, REQUIREMENT], {
        stdio: ["ignore", process.stderr.fd, "inherit"],
        cwd: work,
      });
      const [name] = readdirSync(folder);
      if (!name) continue;
      const wheel = join(downloads, name);
      renameSync(join(folder, name), wheel);
      return wheel;
    } catch (error) {
      if (!(error instanceof BuildError)) throw error;
    }
  }
  throw failure(`pip could not download ${REQUIREMENT}`);
}

/** Undefined when the wheel is damaged (it is removed then). */
function unpack(python: string, wheel: string, work: string): string | undefined {
  const folder = join(work, "libtorch");
  say(`unpacking ${wheel}`);
  try {
    run(python, [UNPACK, wheel, folder], { cwd: work });
    return folder;
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    rmSync(wheel, { force: true });
    rmSync(folder, { recursive: true, force: true });
    return undefined;
  }
}

function putInPlace(folder: string, target: string, work: string): void {
  try {
    renameSync(folder, target);
  } catch (error) {
    if (!existsSync(target)) throw error;
    // Another install was faster; or what lies there is what the search found unfit.
    if ("version" in checkLibtorch(target, { headers: true })) return;
    renameSync(target, join(work, "unfit"));
    renameSync(folder, target);
  }
}

/** What a killed fetch left; its wheel, if it got that far, is in downloads/ and stays. */
function removeLeftovers(): void {
  for (const name of readdirSync(cacheFolder()).filter((n) => n.startsWith("fetch-"))) {
    const folder = join(cacheFolder(), name);
    const { mtimeMs } = statSync(folder, { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() };
    if (Date.now() - mtimeMs > LEFTOVER_MS) rmSync(folder, { recursive: true, force: true });
  }
}

function failure(reason: string): BuildError {
  return new BuildError(`LibTorch ${LIBTORCH_PINNED} could not be fetched: ${reason}.
By hand, one of:
  - python3 -m pip install torch==${LIBTORCH_PINNED}  (any python3 on the PATH, or one that SDA_PYTHON names), then npm run build
  - unpack the LibTorch ${LIBTORCH_PINNED} archive (C++, CPU, shared) from the PyTorch site, check its checksum, then
    SDA_LIBTORCH=/path/to/libtorch npm run build`);
}
