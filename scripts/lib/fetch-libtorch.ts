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
 * The requirement for pip. PyTorch's wheel contains LibTorch: libraries, headers, licences. On
 * Linux the plain version number may be a CUDA build of several times the size, so the CPU build is
 * asked for.
 */
const REQUIREMENT = `torch==${LIBTORCH_PINNED}${process.platform === "linux" ? "+cpu" : ""}`;

/**
 * Arguments to try in turn. Each wheel is for one Python version, but all contain the same
 * LibTorch: the wheel for 3.11 serves where there is none for this Python.
 */
const PYTHON_CHOICES = [[], ["--python-version", "3.11"]];

/**
 * Fetches the pinned LibTorch with pip into the user's cache. Each step works in a folder of this
 * process and ends with a rename. So an interrupted fetch leaves nothing half done, the next fetch
 * reuses a complete wheel, and of two fetches at the same time the later one uses the result of the
 * other.
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
      // pip's progress goes to stderr, like all progress. Python imports modules from the working
      // folder, so pip runs in a folder of ours.
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

/** Returns the unpacked folder; undefined when the wheel is damaged, after removing it. */
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
    // Either another install was faster, or the folder is one that the search has rejected.
    if ("version" in checkLibtorch(target, { headers: true })) return;
    renameSync(target, join(work, "unfit"));
    renameSync(folder, target);
  }
}

/** Removes folders of killed fetches. Their complete wheels are in downloads/ and stay. */
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
  - python3 -m pip install torch==${LIBTORCH_PINNED}, then npm run build
    (any python3 on the PATH, or the Python that SDA_PYTHON names)
  - unpack the LibTorch ${LIBTORCH_PINNED} archive (C++, CPU, shared) from the PyTorch site,
    check its checksum, then SDA_LIBTORCH=/path/to/libtorch npm run build`);
}
