// The published packages, as a user has them: from a registry, without install scripts, where nothing can be built.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LIBTORCH_PACKAGE } from "../../lib/native/libtorch.js";
import { packageRoot } from "../../lib/native/package-root.js";
import { type Ended, Machine, NODES, noMachine } from "./machine.js";
import { serveRegistry } from "./registry.js";

const PACKED = join(packageRoot, "out/packages");
const packed = existsSync(PACKED) ? readdirSync(PACKED).map((name) => join(PACKED, name)) : [];
const missing = noMachine() ?? (packed.length === 2 ? undefined : "needs `npm run pack` first");

const MODEL = "/models/synthetic-plucks.sda";
const BIN = "node_modules/.bin/sda";

const list = () =>
  `${BIN} model repair --models-dir /models >&2; ${BIN} model list --models-dir /models --json`;

describe.skipIf(missing)(`installed${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let machine: Machine;
  let registry: Awaited<ReturnType<typeof serveRegistry>>;
  let dependencies: string;

  beforeAll(async () => {
    dependencies = mkdtempSync(join(tmpdir(), "sda-packages-"));
    const list = ["ls", "--omit=dev", "--all", "--parseable"];
    const { stdout } = spawnSync("npm", list, { cwd: packageRoot, encoding: "utf8" });
    const folders = stdout.trim().split("\n").slice(1);
    const args = ["pack", "--silent", "--ignore-scripts", "--pack-destination", dependencies];
    expect(spawnSync("npm", [...args, ...folders]).status).toBe(0);
    const others = readdirSync(dependencies).map((name) => join(dependencies, name));
    registry = await serveRegistry([...packed, ...others]);
    machine = new Machine();
    machine.copyIn(join(packageRoot, "assets/models"), "models");
  }, 900_000);

  afterAll(() => {
    registry?.close();
    machine?.remove();
    if (dependencies) rmSync(dependencies, { recursive: true });
  });

  /** An empty folder with the packages in it, and commands there. */
  async function install(node: string, how: string) {
    const folder = `/app-${Math.random().toString(36).slice(2)}`;
    const env = { npm_config_registry: registry.url, npm_config_update_notifier: "false" };
    const run = (command: string) => machine.sh(`cd ${folder}; ${command}`, { node, env });
    await must(machine.sh(`mkdir ${folder}; echo '{"private":true}' > ${folder}/package.json`));
    await must(run(how));
    return { run, folder };
  }

  test("the machine has Node and nothing to build or compute with", async () => {
    for (const tool of ["gcc", "g++", "cc", "make", "cmake", "python3"])
      expect((await machine.sh(`command -v ${tool}`)).status, tool).not.toBe(0);
  });

  const managers = {
    npm: "$npm install --ignore-scripts small-dataset-audio",
    pnpm: "$pnpm add --ignore-scripts small-dataset-audio",
  };
  for (const node of NODES) {
    test.each(Object.entries(managers))(
      `list, inspect, generate: Node ${node}, %s`,
      async (_, how) => {
        const { run } = await install(node, how);
        expect(await must(run("node --version"))).toMatch(new RegExp(`^v${node}`));
        expect(JSON.parse(await must(run(list())))).toHaveLength(1);
        const inspected = JSON.parse(await must(run(`${BIN} inspect ${MODEL} --json`)));
        expect(inspected.tensors.length).toBeGreaterThan(0);
        await must(run(`${BIN} generate ${MODEL} -d 1 -s 42 -o out`));
        expect(await must(run("head -c 4 out/*.wav"))).toBe("RIFF");
        expect(
          await must(run(`node -e 'console.log(typeof require("small-dataset-audio").loadModel)'`)),
        ).toBe("function\n");
      },
    );
  }

  test.each([
    ["npm", "$npm install --ignore-scripts --omit=optional", "$npm install --ignore-scripts"],
    ["pnpm", "$pnpm add --ignore-scripts --no-optional", "$pnpm add --ignore-scripts"],
  ])(
    "%s without the LibTorch package: everything but sound, which says what to install",
    async (_, without, add) => {
      const { run } = await install("22", `${without} small-dataset-audio`);
      expect((await run(`ls node_modules/${LIBTORCH_PACKAGE}`)).status).not.toBe(0);
      expect(JSON.parse(await must(run(list())))).toHaveLength(1);
      await must(run(`${BIN} inspect ${MODEL} --json`));
      const sound = await run(`${BIN} generate ${MODEL} -d 1 -o out`);
      expect(sound.status).toBe(1);
      expect(sound.stderr).toContain(`To get it: npm install ${LIBTORCH_PACKAGE}@2.13\n`);
      expect(
        await must(
          run(
            `node -e 'require("small-dataset-audio").loadModel("${MODEL}").catch((e) => console.log(e.code))'`,
          ),
        ),
      ).toBe("ERR_SDA_LIBTORCH\n");
      // What it says helps.
      await must(run(`${add} ${LIBTORCH_PACKAGE}@2.13`));
      await must(run(`${BIN} generate ${MODEL} -d 1 -o out`));
    },
  );

  test("the packages hold what they should, and nothing that runs at install", async () => {
    const { run } = await install("22", managers.npm);
    const at = "node_modules/small-dataset-audio";
    const manifest = JSON.parse(await must(run(`cat ${at}/package.json`)));
    expect(manifest.scripts).toBeUndefined();
    expect(manifest.devDependencies).toBeUndefined();
    expect((await run(`ls ${at}/binding.gyp`)).status).not.toBe(0);
    await must(run(`ls ${at}/LICENSE`));
    expect((await must(run(`ls node_modules/${LIBTORCH_PACKAGE}/lib`))).split("\n")).toEqual(
      expect.arrayContaining(["libc10.so", "libgomp.so.1", "libtorch_cpu.so"]),
    );
    await must(
      run(
        `cd node_modules/${LIBTORCH_PACKAGE}; ls licenses/LICENSE licenses/libgomp/COPYING3 NOTICE.md`,
      ),
    );
  });
});

async function must(command: Promise<Ended>): Promise<string> {
  const { status, stdout, stderr } = await command;
  expect(status, stdout + stderr).toBe(0);
  return stdout;
}
