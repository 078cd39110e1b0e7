import type { Stats } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  badArgument,
  checkCallback,
  checkOptions,
  optionNames,
  toFilePath,
} from "../base/check.js";
import { SdaError, type SdaErrorCode } from "../base/errors.js";
import { ioError, isSdaError } from "../base/io-error.js";
import { withOpenFile } from "../base/read-file.js";
import { callNative } from "../native/call.js";
import { checkpointAddon } from "../native/load.js";
import type { GlobalKind, NativeInspectResult, PickleScan } from "../native/types.js";
import {
  archiveKind,
  type Budget,
  type ByteSource,
  budgetFor,
  compressionOf,
  inFile,
  inMemory,
  isDamage,
  membersOf,
  zipNames,
} from "./archives.js";
import { scanPickle } from "./scan-pickle.js";
import { reasonFor, type ScanRule } from "./scan-rules.js";

export type { ScanRule };

/**
 * - "safe": a torch file or a pickle that holds plain data alone, as `assess` means it
 * - "refused": loading the file in Python could run code
 * - "damaged": a torch file or a pickle that can't be read to its end
 * - "unreadable": nobody can tell, such as a file that the system does not let read
 * - "other": a file of another kind. Python executes nothing in it when it loads it as a torch file
 *   or a pickle
 */
export type ScanVerdict = "safe" | "refused" | "damaged" | "unreadable" | "other";

/** Why a file is not safe. */
export interface ScanFinding {
  /** The kind of reason; see doc/scanner.md */
  rule: ScanRule;
  /** The verdict that this finding alone would give */
  verdict: "refused" | "damaged" | "unreadable";
  /** One sentence for people, such as "posix.system runs a shell command" */
  message: string;
  /** The global that is refused, as `module.name` */
  global?: string;
  /** The file in the archive that has it; names of archives within archives are joined by "!" */
  member?: string;
  /** The code of the error that the reader gives, where there is one */
  code?: SdaErrorCode;
}

/** What `scan` has found in one file. */
export interface ScannedFile {
  /** The path that was given, or, in a folder, joined with it */
  path: string;
  verdict: ScanVerdict;
  /** Such as "a torch file", "a pickle" or, of "other", "a safetensors file" */
  kind: string;
  /** Every global that the file names, as far as it can be read; sorted */
  globals: string[];
  /** [] for "safe" and "other" */
  findings: ScanFinding[];
}

/** The result of `scan`. */
export interface ScanReport {
  /** No file is refused, damaged or unreadable */
  ok: boolean;
  /** The number of files with each verdict */
  counts: Record<ScanVerdict, number>;
  /** Sorted by path within each path that was given */
  files: ScannedFile[];
}

/** The options of `scan`. */
export interface ScanOptions {
  /** Called after each file with the number of finished files and of all files */
  onProgress?: (done: number, total: number) => void;
  /** Aborting rejects with the signal's reason */
  signal?: AbortSignal;
}

const OPTIONS = optionNames<ScanOptions>({ onProgress: true, signal: true });

/**
 * Judges whether files are safe to load in Python: every file of a folder and its subfolders, or a
 * file. Looks at the content and not at the name. Executes nothing and reads no weights.
 *
 * Beyond torch files, `scan` judges bare pickles of all protocols, one behind the other as well;
 * numpy files; and the files in zip, tar, gzip and zlib archives, archives within archives
 * included. Links to files are followed, links to folders are not. doc/scanner.md lists what is
 * found, and what is not.
 *
 * A file that can't be judged is a finding, not an error: `ok` is then false.
 *
 * @param paths a file or a folder, or several of them
 * @throws SdaError ERR_SDA_NOT_FOUND: nothing is at a given path; ERR_SDA_ARGUMENT: a wrong option,
 *   or a path that leads to no file or folder; ERR_SDA_IO: a given folder can't be listed.
 *   `signal.reason` when the signal is aborted.
 * @example
 * ```js
 * await save(new Map([["w", new Tensor("float32", [1], Float32Array.of(1))]]), "w.pt");
 * const { ok, files } = await scan("w.pt");
 * console.log(ok, files[0].verdict); // true safe
 * for (const { path, findings } of (await scan("data")).files) {
 *   for (const { message } of findings) console.log(path, message);
 * }
 * ```
 */
export async function scan(
  paths: string | URL | readonly (string | URL)[],
  options: ScanOptions = {},
): Promise<ScanReport> {
  const given = (Array.isArray(paths) ? (paths as (string | URL)[]) : [paths as string | URL]).map(
    toFilePath,
  );
  checkOptions("options", options, OPTIONS);
  const { onProgress, signal } = options;
  checkCallback("onProgress", onProgress);
  signal?.throwIfAborted();
  const waiting: Waiting[] = [];
  for (const path of given) waiting.push(...(await filesAt(path)));
  const files: ScannedFile[] = [];
  for (const { path, found } of waiting) {
    signal?.throwIfAborted();
    files.push(found ?? (await scanFile(path, signal)));
    onProgress?.(files.length, waiting.length);
  }
  const counts = { safe: 0, refused: 0, damaged: 0, unreadable: 0, other: 0 };
  for (const { verdict } of files) counts[verdict]++;
  return { ok: files.every(({ findings }) => findings.length === 0), counts, files };
}

/** A file to scan. `found`: what is known without reading it */
interface Waiting {
  path: string;
  found?: ScannedFile;
}

/** The file, or the files in the folder and its subfolders, sorted. */
async function filesAt(top: string): Promise<Waiting[]> {
  const found = await stat(top).catch((error) => {
    throw ioError(error, top, `${top} can't be read`);
  });
  if (found.isFile()) return [{ path: top }];
  if (!found.isDirectory()) throw badArgument("path", "a file or a folder", top);
  const files: Waiting[] = [];
  const folders = [top];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    try {
      for (const entry of await readdir(folder, { withFileTypes: true })) {
        const path = join(folder, entry.name);
        if (entry.isDirectory()) folders.push(path);
        else if (entry.isFile()) files.push({ path });
        else files.push(entry.isSymbolicLink() ? await linked(path) : other(path, "no file"));
      }
    } catch (error) {
      const problem = ioError(error, folder, `${folder} can't be listed`);
      if (folder === top || !(problem instanceof SdaError)) throw problem;
      files.push(known(folder, "a folder", [unreadable(problem)]));
    }
  }
  const order = (a: Waiting, b: Waiting) => (a.path < b.path ? -1 : 1);
  return files.sort(order);
}

async function linked(path: string): Promise<Waiting> {
  let target: Stats;
  try {
    target = await stat(path);
  } catch (error) {
    const problem = ioError(error, path, `${path} leads to nothing that can be read`);
    if (!(problem instanceof SdaError)) throw problem;
    return known(path, "a link", [unreadable(problem)]);
  }
  if (target.isFile()) return { path };
  return other(path, target.isDirectory() ? "a link to a folder, not followed" : "no file");
}

function known(path: string, kind: string, findings: ScanFinding[]): Waiting {
  return { path, found: scanned(path, { kind, globals: [], findings, isData: false }) };
}

function other(path: string, kind: string): Waiting {
  return known(path, kind, []);
}

/** What is known of a file's content. */
interface Judgement {
  kind: string;
  globals: string[];
  findings: ScanFinding[];
  /** Whether a torch file or a pickle was read to its end */
  isData: boolean;
}

const ORDER = ["refused", "damaged", "unreadable"] as const;

function scanned(path: string, { kind, globals, findings, isData }: Judgement): ScannedFile {
  const worst = ORDER.find((verdict) => findings.some((finding) => finding.verdict === verdict));
  const verdict = worst ?? (isData ? "safe" : "other");
  return { path, verdict, kind, globals: [...new Set(globals)].sort(), findings: few(findings) };
}

/** A file may name a global in every few bytes. */
function few(findings: ScanFinding[]): ScanFinding[] {
  const more = findings.length - MOST_FINDINGS;
  const [last] = findings.slice(-1);
  if (more <= 0 || last === undefined) return findings;
  const { rule, verdict } = last;
  return [...findings.slice(0, MOST_FINDINGS), { rule, verdict, message: `and ${more} more` }];
}

async function scanFile(path: string, signal: AbortSignal | undefined): Promise<ScannedFile> {
  try {
    const { container, globals, globalKinds } = await inspectTorch(path, signal);
    const script = container === "zip" ? await withOpenFile(path, scriptIn) : null;
    if (script) return scanned(path, script);
    const findings = refusals(globals, globalKinds);
    if (findings.length === 0) {
      // `inspect` describes what `load` refuses.
      const pickles = await scanPickle(path, signal);
      if (!pickles.complete) findings.push(...problemsOf(pickles));
    }
    return scanned(path, { kind: "a torch file", globals, findings, isData: true });
  } catch (error) {
    if (!(error instanceof SdaError)) throw error;
    const isFound = !isSdaError(error, "ERR_SDA_NOT_FOUND") && !isSdaError(error, "ERR_SDA_IO");
    return scanned(path, isFound ? await scanOther(path, error, signal) : noFile(error));
  }
}

function noFile(error: SdaError): Judgement {
  return { ...NOTHING, kind: "a file", findings: [unreadable(error)] };
}

/** Describes a TorchScript archive; null: another file. */
async function scriptIn(
  file: Parameters<typeof inFile>[0],
  size: number,
): Promise<Judgement | null> {
  const names = await zipNames(inFile(file, size)).catch(() => []);
  // The records by which PyTorch itself tells it
  if (!names.some(isNamed("constants.pkl")) || !names.some(isNamed("data.pkl"))) return null;
  const message = "the file is a TorchScript program, of which loading runs parts";
  const finding: ScanFinding = { rule: "torchscript", verdict: "refused", message };
  return { ...NOTHING, kind: "a TorchScript program", findings: [finding] };
}

const isNamed = (record: string) => (name: string) => {
  const plain = name.toLowerCase();
  return plain === record || plain.endsWith(`/${record}`);
};

/** As `inspect`, of the files that torch.save writes alone: the others are judged here. */
function inspectTorch(path: string, signal: AbortSignal | undefined): Promise<NativeInspectResult> {
  const addon = checkpointAddon();
  return callNative(addon, signal, (cancel) =>
    addon.inspect(path, { anyContainer: false }, cancel),
  );
}

/** Judges what `inspect` does not read: a damaged torch file, or a file of another kind. */
async function scanOther(
  path: string,
  error: SdaError,
  signal: AbortSignal | undefined,
): Promise<Judgement> {
  try {
    return await withOpenFile(path, async (file, size) => {
      const source = inFile(file, size);
      const script = archiveKind(await headOf(source)) === "zip" && (await scriptIn(file, size));
      if (script) return script;
      const judge = new Judge(size, signal);
      const pickles = await scanPickle(path, signal);
      return error.code === "ERR_SDA_FORMAT"
        ? judge.content(source, pickles, foundIn(error, size), 0)
        : judge.broken(source, pickles, error);
    });
  } catch (problem) {
    if (!(problem instanceof SdaError)) throw problem;
    return noFile(problem);
  }
}

/** Of one file. */
const MOST_FINDINGS = 100;
const LONGEST_NAME = 200;
const HEAD_BYTES = 512;
/** Archives within archives. */
const MOST_DEPTH = 4;
const PROTO = 0x80;
const NEWEST_PROTOCOL = 5;
/** The files in a torch file of PyTorch before 0.1.7; between its pickles are bytes of tensors. */
const OLD_TORCH = new Set(["storages", "tensors", "pickle"]);
const LFS = "version https://git-lfs";

class Judge {
  readonly #signal: AbortSignal | undefined;
  readonly #budget: Budget;

  constructor(size: number, signal: AbortSignal | undefined) {
    this.#budget = budgetFor(size);
    this.#signal = signal;
  }

  /** A torch file that the reader refuses, or that is damaged. */
  async broken(source: ByteSource, pickles: PickleScan, error: SdaError): Promise<Judgement> {
    const head = await headOf(source);
    const named = ofNames(pickles);
    const problem = { ...NOTHING, findings: [problemOf(error)] };
    if (archiveKind(head) !== "zip") return joined("a torch file", named, problem);
    // PyTorch may read records where this reader finds damage, and inflates them.
    const within = await this.#members(source, "zip", 0);
    if (!(await isTorchZip(source))) return joined("a zip archive", named, within);
    const findings = within.findings.filter(({ global }) => global !== undefined);
    return joined("a torch file", named, { ...within, findings, isData: false }, problem);
  }

  /** A file that is no torch file. Python may execute it all the same. */
  async content(
    source: ByteSource,
    pickles: PickleScan,
    found: string,
    depth: number,
  ): Promise<Judgement> {
    const head = await headOf(source);
    const isPickle = pickles.executes || startsLikePickle(head);
    const pickled = isPickle ? pickleOf(pickles) : undefined;
    const archive = archiveKind(head);
    if (archive !== null) {
      const within = await this.#members(source, archive, depth);
      // Two bytes of another file may look like the beginning of a zlib stream.
      const isOther = archive === "zlib" && within.findings.some(({ rule }) => rule === "damaged");
      if (!isOther) return joined(`a ${archive} archive`, pickled ?? NOTHING, within);
    }
    if (pickled) return pickled;
    const compression = compressionOf(head);
    if (compression !== null) {
      const message = `the content is compressed with ${compression}, which the scanner can't read`;
      return notRead(`a file compressed with ${compression}`, message);
    }
    if (Buffer.from(head).toString("latin1").startsWith(LFS)) {
      return notRead("a Git LFS pointer", "the file itself was not fetched by Git LFS");
    }
    return { ...NOTHING, kind: found };
  }

  async #members(
    source: ByteSource,
    kind: NonNullable<ReturnType<typeof archiveKind>>,
    depth: number,
  ): Promise<Judgement> {
    const all: Judgement = { ...NOTHING, globals: [], findings: [] };
    if (depth === MOST_DEPTH) {
      const message = `archives are within each other more than ${MOST_DEPTH} deep`;
      return notRead("an archive", message);
    }
    try {
      for await (const { name, bytes, problem } of membersOf(source, kind, this.#budget)) {
        this.#signal?.throwIfAborted();
        if (kind === "tar" && OLD_TORCH.has(name)) {
          const message =
            "a tar archive may be a torch file of 2016, which torch.load unpickles in pieces";
          all.findings.push({ rule: "not-read", verdict: "unreadable", message, member: name });
        }
        if (bytes === null) {
          const message = `${name || "the content"} was not looked into: ${problem}`;
          const found: ScanFinding = { rule: "not-read", verdict: "unreadable", message };
          all.findings.push(name === "" ? found : { ...found, member: name });
          continue;
        }
        const pickles = await scanPickle(bytes, this.#signal);
        const within = await this.content(inMemory(bytes), pickles, "something else", depth + 1);
        all.isData ||= within.isData;
        all.globals.push(...within.globals);
        for (const finding of within.findings) {
          const member = [name, finding.member].filter(Boolean).join("!");
          all.findings.push(member === "" ? finding : { ...finding, member });
        }
      }
    } catch (error) {
      if (!isDamage(error)) throw error;
      const message = `the archive can't be read to its end: ${error.message}`;
      all.findings.push({ rule: "damaged", verdict: "damaged", message });
    }
    return all;
  }
}

const NOTHING: Judgement = { kind: "something else", globals: [], findings: [], isData: false };

/** One judgement of the parts of a file. A global is reported once. */
function joined(kind: string, ...parts: Judgement[]): Judgement {
  const seen = new Set<string>();
  const isNew = ({ global, message }: ScanFinding) => {
    const key = global ?? `\0${message}`;
    return !seen.has(key) && seen.add(key);
  };
  return {
    kind,
    globals: parts.flatMap(({ globals }) => globals),
    findings: parts.flatMap(({ findings }) => findings).filter(isNew),
    isData: parts.some(({ isData }) => isData),
  };
}

function ofNames({ globals, globalKinds }: PickleScan): Judgement {
  return { ...NOTHING, globals, findings: refusals(globals, globalKinds) };
}

function foundIn({ details }: SdaError, size: number): string {
  return size === 0 ? "an empty file" : String(details?.["found"] ?? NOTHING.kind);
}

function pickleOf(pickles: PickleScan): Judgement {
  const { complete, globals, globalKinds } = pickles;
  const findings = refusals(globals, globalKinds);
  if (!complete && findings.length === 0) findings.push(...problemsOf(pickles));
  return { kind: "a pickle", globals, findings, isData: complete };
}

const headOf = (source: ByteSource) => source.read(0, Math.min(HEAD_BYTES, source.size));

function startsLikePickle([first, second = 0]: Uint8Array): boolean {
  return first === PROTO && second >= 2 && second <= NEWEST_PROTOCOL;
}

/** Also true of a damaged archive. */
async function isTorchZip(source: ByteSource): Promise<boolean> {
  return zipNames(source).then(
    (names) => names.some(isNamed("data.pkl")),
    () => true,
  );
}

/** A finding for each global that is not plain data. */
function refusals(globals: readonly string[], kinds: readonly GlobalKind[]): ScanFinding[] {
  return globals.flatMap((name, i): ScanFinding[] => {
    const kind = kinds[i] ?? "unknown";
    if (kind === "known" || kind === "project") return [];
    const { rule, does } = reasonFor(name, kind === "project-code");
    const shown = name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME)}…` : name;
    return [{ rule, verdict: "refused", message: `${shown} ${does}`, global: name }];
  });
}

/** Why a pickle is not read to its end. */
function problemsOf({ code, problem }: PickleScan): ScanFinding[] {
  if (code === undefined || problem === undefined) {
    return [{ rule: "damaged", verdict: "damaged", message: "the pickle is cut off or damaged" }];
  }
  return [problemOf(new SdaError(code, problem))];
}

function problemOf({ code, message, details }: SdaError): ScanFinding {
  const said = { message: withoutPath(message, details?.["path"]), code };
  if (code === "ERR_SDA_UNSAFE") {
    const rule = details?.["ambiguity"] === undefined ? "unusual-call" : "ambiguous";
    return { rule, verdict: "refused", ...said };
  }
  const isDamaged = code === "ERR_SDA_CORRUPT" || code === "ERR_SDA_FORMAT";
  if (isDamaged) return { rule: "damaged", verdict: "damaged", ...said };
  return { rule: "not-read", verdict: "unreadable", ...said };
}

function unreadable({ code, message, details }: SdaError): ScanFinding {
  const said = withoutPath(message, details?.["path"]);
  return { rule: "not-read", verdict: "unreadable", message: said, code };
}

/** The report has the path already, and equal files give equal findings. */
function withoutPath(message: string, path: unknown): string {
  if (typeof path !== "string") return message;
  return message.replace(`'${path}': `, "").replaceAll(`'${path}'`, "it").replaceAll(path, "it");
}

function notRead(kind: string, message: string): Judgement {
  const finding: ScanFinding = { rule: "not-read", verdict: "unreadable", message };
  return { kind, globals: [], findings: [finding], isData: false };
}
