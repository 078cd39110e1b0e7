/** `sda serve` with a stand-in for the server package, and without the package. */
import { spawn } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { openPage } from "../../lib/cli/open-page.js";
import { run } from "../../lib/cli/program.js";
import { serverToken } from "../../lib/cli/server-token.js";
import { packageRoot } from "../../lib/native/package-root.js";
import { compiled } from "../support/compiled.js";
import { keepingIo } from "../support/io.js";

/** Answers each request, after a while, with the options that it was started with. */
const STAND_IN = `
import { createServer } from "node:http";
import "stand-in-dependency";
export async function serve({ signal, ...options }) {
  if (options.port === 1) throw new Error("port 1 is taken");
  const server = createServer((_, response) => {
    process.stderr.write("asked\\n");
    const answer = JSON.stringify({ ...options, hasSignal: signal instanceof AbortSignal });
    setTimeout(() => response.end(answer), 300);
  });
  await new Promise((done) => server.listen(options.port, options.host, done));
  return {
    url: "http://" + options.host + ":" + server.address().port,
    close: () => new Promise((done) => server.close(done)),
  };
}`;

/** Makes the import of the server package fail, as if it were not installed. */
const WITHOUT = `data:text/javascript,${encodeURIComponent(`
import { register } from "node:module";
register("data:text/javascript," + encodeURIComponent(\`
export function resolve(specifier, context, next) {
  const isServer = specifier === "small-dataset-audio-server";
  return next(specifier, isServer ? { ...context, parentURL: "file:///nowhere/main.js" } : context);
}\`));`)}`;

/** A copy of the compiled library, with the stand-in in its node_modules */
let library: string;
beforeAll(() => {
  library = mkdtempSync(join(packageRoot, "build/test-serve-"));
  cpSync(compiled("lib"), library, { recursive: true });
  // As pnpm installs it: behind a link, with its own packages beside the target of the link.
  const store = join(library, "node_modules/.pnpm/server@1/node_modules");
  const folder = join(store, "small-dataset-audio-server");
  for (const [name, code] of [
    ["small-dataset-audio-server", STAND_IN],
    ["stand-in-dependency", "export const needed = true;"],
  ] as const) {
    mkdirSync(join(store, name), { recursive: true });
    writeFileSync(
      join(store, name, "package.json"),
      '{ "type": "module", "exports": "./index.js" }',
    );
    writeFileSync(join(store, name, "index.js"), code);
  }
  symlinkSync(folder, join(library, "node_modules/small-dataset-audio-server"), "junction");
});
afterAll(() => rmSync(library, { recursive: true, force: true }));

function start(args: string[], { env = {}, node = [] }: { env?: object; node?: string[] } = {}) {
  const main = join(library, "cli/main.js");
  const child = spawn(process.execPath, [...node, main, "serve", ...args], {
    env: { ...process.env, SDA_TOKEN: undefined, ...env },
  });
  const said = { stdout: "", stderr: "" };
  const waiting = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      said[name] += text;
      for (const look of waiting) look();
    });
  }
  const ended = new Promise<number | null>((done) => child.on("close", done));
  /** Waits for a match on stderr. @returns its first group, or the whole match */
  const says = (pattern: RegExp) =>
    Promise.race([
      new Promise<string>((done) => {
        const look = () => {
          const match = pattern.exec(said.stderr);
          if (match) done(match[1] ?? match[0]);
        };
        waiting.add(look);
        look();
      }),
      ended.then(() => Promise.reject(new Error(`it ended: ${said.stderr}`))),
    ]);
  return { child, said, ended, says };
}

const AT = /^Serving .* at (http:\S+)$/m;

describe("sda serve", { timeout: 240_000 }, () => {
  it.each(["SIGINT", "SIGTERM"] as const)(
    "serves until %s, and finishes running requests",
    async (signal) => {
      const { child, said, ended, says } = start(["--port", "0", "--models-dir", "here"]);
      const url = await says(AT);
      const answer = fetch(url);
      await says(/^asked$/m);
      child.kill(signal);
      expect(await (await answer).json()).toEqual({
        modelsDir: "here",
        host: "127.0.0.1",
        port: 0,
        token: expect.stringMatching(/^[\w-]{32}$/),
        hasSignal: true,
      });
      expect(await ended).toBe(0);
      expect(said.stdout).toBe("");
      expect(said.stderr).toMatch(/Stopped\.\n$/);
    },
  );

  it("passes its options on, and prints the URL as JSON", async () => {
    const options = ["--token", "secret", "--allowed-host", "a", "--allowed-host", "b", "--json"];
    const { child, said, ended, says } = start(["--host", "localhost", "--port", "0", ...options]);
    const url = await says(AT);
    expect(await (await fetch(url)).json()).toMatchObject({
      modelsDir: "./data/models",
      host: "localhost",
      token: "secret",
      allowedHosts: ["a", "b"],
    });
    child.kill("SIGINT");
    expect(await ended).toBe(0);
    expect(JSON.parse(said.stdout)).toEqual({ url });
    expect(said.stderr).not.toContain("secret");
  });

  it("makes a token, prints the page's address with it, and uses it again", async () => {
    const config = mkdtempSync(join(tmpdir(), "config-"));
    const env = { XDG_CONFIG_HOME: config, APPDATA: config };
    const tokens = new Set<unknown>();
    for (const args of [[], ["--json"]]) {
      const { child, said, ended, says } = start(["--port", "0", ...args], { env });
      const url = await says(AT);
      const { token } = (await (await fetch(url)).json()) as { token: string };
      expect(await says(/^To change models, open (\S+)$/m)).toBe(`${url}#token=${token}`);
      tokens.add(token);
      child.kill("SIGINT");
      await ended;
      if (args.length > 0) expect(JSON.parse(said.stdout)).toEqual({ url, token });
      expect(said.stderr).not.toContain("this run only");
    }
    expect(tokens.size).toBe(1);
    const path = join(config, "small-dataset-audio/server-token");
    expect(readFileSync(path, "utf8").trim()).toBe([...tokens][0]);
    if (process.platform !== "win32") expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it.skipIf(process.platform === "win32")(
    "of two servers at once, both get one token",
    async () => {
      const config = mkdtempSync(join(tmpdir(), "config-"));
      const asked = Array.from({ length: 4 }, async () => {
        const { child, ended, says } = start(["--port", "0"], { env: { XDG_CONFIG_HOME: config } });
        const address = await says(/#token=(\S+)$/m);
        child.kill("SIGINT");
        await ended;
        return address;
      });
      expect(new Set(await Promise.all(asked)).size).toBe(1);
    },
  );

  it.skipIf(process.platform === "win32")(
    "tightens a token file that others may read",
    async () => {
      vi.stubEnv("XDG_CONFIG_HOME", mkdtempSync(join(tmpdir(), "config-")));
      const first = await serverToken();
      const path = join(
        process.env["XDG_CONFIG_HOME"] as string,
        "small-dataset-audio/server-token",
      );
      chmodSync(path, 0o644);
      expect(await serverToken()).toEqual(first);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      for (const damaged of ["", "short"]) {
        writeFileSync(path, damaged);
        const made = await serverToken();
        expect(made).toEqual({ token: expect.stringMatching(/^[\w-]{32}$/) });
        expect(await serverToken()).toEqual(made);
      }
      vi.unstubAllEnvs();
    },
  );

  it.each([
    ["can't be written", { XDG_CONFIG_HOME: "/dev/null/x" }, /can't be created/],
    ["does not exist", { XDG_CONFIG_HOME: undefined, HOME: "" }, /no home folder|created/],
  ])("says that the token is for this run if the folder %s", async (_, env, why) => {
    if (process.platform !== "linux") return;
    const { child, said, ended, says } = start(["--port", "0"], { env });
    await says(/#token=(\S+)$/m);
    await says(/^The token is for this run only, because it cannot be kept: .*$/m);
    expect(said.stderr).toMatch(why);
    child.kill("SIGINT");
    expect(await ended).toBe(0);
  });

  it.each([
    ["/sounds", "/sounds/"],
    ["a/b/", "/a/b/"],
    ["/", "/"],
  ])("serves the page below --prefix %s", async (given, path) => {
    const { child, ended, says } = start(["--port", "0", "--prefix", given]);
    const url = await says(AT);
    expect(new URL(url).pathname).toBe(path);
    const { prefix } = (await (await fetch(url)).json()) as { prefix?: string };
    expect(prefix).toBe(path === "/" ? undefined : `${path}api`);
    child.kill("SIGINT");
    await ended;
  });

  it("opens the page through a file that only this user can read", async () => {
    const address = "http://127.0.0.1:8080/#token=a&b";
    let opened = "";
    const remove = await openPage(address, async (url) => {
      opened = url;
    });
    expect(opened).toMatch(/^file:/);
    expect(opened).not.toContain("token");
    const file = new URL(opened);
    expect(readFileSync(file, "utf8")).toContain("url=http://127.0.0.1:8080/#token=a&#38;b");
    if (process.platform !== "win32") expect(statSync(file).mode & 0o777).toBe(0o600);
    await remove();
    expect(existsSync(file)).toBe(false);
    const failing = await openPage(address, () => Promise.reject(new Error("no browser")));
    await failing();
  });

  it("takes the token from SDA_TOKEN unless --token is given", async () => {
    for (const [args, token] of [
      [[], "of the environment"],
      [["--token", "given"], "given"],
    ] as const) {
      const env = { SDA_TOKEN: "of the environment" };
      const { child, ended, says } = start(["--port", "0", ...args], { env });
      expect(await (await fetch(await says(AT))).json()).toMatchObject({ token });
      child.kill("SIGINT");
      await ended;
    }
  });

  it("prints the server's error if it can't start", async () => {
    const { said, ended } = start(["--port", "1"]);
    expect(await ended).toBe(1);
    expect(said.stderr).toBe("error: port 1 is taken\n");
  });

  it("says in one line how to install a missing server package", async () => {
    const { said, ended } = start([], { node: ["--import", WITHOUT] });
    expect(await ended).toBe(1);
    expect(said.stdout).toBe("");
    expect(said.stderr).toBe(
      "error: small-dataset-audio-server is not installed: npm install small-dataset-audio-server\n",
    );
  });

  it.each([
    [["--port", "65536"], "Expected 0 to 65535."],
    [["--port", "-1"], "Expected 0 to 65535."],
    [["--port", "http"], "Expected a number."],
    [["--token", ""], "the token is empty"],
    [["--prefix", "/a b"], "Expected a path"],
    [["--prefix", "/a/../b"], "Expected a path"],
    [["here"], "too many arguments"],
  ])("refuses %j", async (args, message) => {
    const { io, kept } = keepingIo();
    expect(await run(["serve", ...args], io)).toBe(2);
    expect(kept.stderr).toContain(message);
  });
});
