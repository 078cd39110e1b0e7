// The published packages as a user gets them: from a registry, without install scripts or compiler.

import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PLATFORMS, platformPackage } from "../../lib/native/addon-file.js";
import { LIBTORCH_PACKAGE } from "../../lib/native/libtorch.js";
import { PACKAGE, packageRoot } from "../../lib/native/package-root.js";
import { type Ended, Machine, NODES, noMachine } from "../../scripts/lib/machine.js";
import { platformManifest, readManifest, TORCH_PACKAGE } from "../../scripts/lib/manifests.js";
import { serveRegistry } from "./registry.js";

const PACKED = join(packageRoot, "out/packages");
const packed = existsSync(PACKED) ? readdirSync(PACKED).map((name) => join(PACKED, name)) : [];
const OWN = platformPackage("linux-x64");
const READER = platformPackage("linux-x64", TORCH_PACKAGE);
const isPacked = (name: string) => packed.some((file) => basename(file).startsWith(`${name}-0`));
const missing = noMachine() ?? (isPacked(OWN) ? undefined : "needs `npm run pack` first");

const MODEL = "/models/synthetic-plucks.sda";
const BIN = "node_modules/.bin/sda";

/** Sends a request to the server whose address is in the file `served`. */
const ASK = `
  import { readFileSync } from "node:fs";
  const { url } = JSON.parse(readFileSync("served", "utf8"));
  const json = async (path) => (await fetch(url + path)).json();
  const [health, list] = [await json("api/health"), await json("api/models")];
  const page = await (await fetch(url)).text();
  const made = await fetch(url + "api/models/" + list.models[0].modelId + "/generate", { method: "POST" });
  const sound = Buffer.from(await made.arrayBuffer()).toString("latin1", 0, 4);
  console.log(JSON.stringify({ health, list, page, sound }));
`;

/** Packages of the application that already has a parser for forms. */
const HOST_PACKAGES = ["@fastify/multipart", "@fastify/busboy", "@fastify/deepmerge"];

/** An application whose own forms and the plugin's both work. */
const HOST = `
  import multipart from "@fastify/multipart";
  import Fastify from "fastify";
  import { openAsBlob } from "node:fs";
  import { sdaServer } from "small-dataset-audio-server";
  const app = Fastify();
  app.addContentTypeParser("audio/wav", { parseAs: "buffer" }, async (_, body) => body);
  await app.register(multipart);
  app.post("/own", async (request) => (await (await request.file()).toBuffer()).length);
  await app.register(sdaServer, { modelsDir: "library", token: false });
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  for (const path of ["/own", "/api/models"]) {
    const body = new FormData();
    body.append("file", await openAsBlob("${MODEL}"), "a.sda");
    console.log((await fetch(url + path, { method: "POST", body })).status);
  }
  await app.close();
`;

const JEST_TEST = `
  import { loadModel, ModelLibrary, SdaError, toWav } from "small-dataset-audio";
  import { load, save, Tensor } from "small-dataset-audio/torch";
  test("values of Jest's realm", async () => {
    const tensor = new Tensor("float32", [2], new Float32Array([1, 2]));
    await save(new Map([["a", tensor]]), "a.pt");
    expect((await load("a.pt")).get("a").data[1]).toBe(2);
    expect(toWav({ audio: [new Float32Array(9)], sampleRate: 48000 }).length).toBeGreaterThan(44);
    await expect(load("missing.pt")).rejects.toThrow(SdaError);
    await expect(ModelLibrary.open("missing")).rejects.toThrow(SdaError);
    const model = await loadModel("${MODEL}");
    const { audio } = await model.generate({ durationS: 1, seed: 1, latent: undefined });
    expect(audio[0].length).toBeGreaterThan(40000);
    await model.disposeAsync();
  });
`;

const list = () =>
  `${BIN} model repair --models-dir /models >&2; ${BIN} model list --models-dir /models --json`;

const title = `installed${missing ? ` (skipped: ${missing})` : ""}`;
describe.skipIf(missing)(title, { timeout: 600_000 }, () => {
  let machine: Machine;
  let registry: Awaited<ReturnType<typeof serveRegistry>>;
  let dependencies: string;

  beforeAll(async () => {
    dependencies = mkdtempSync(join(tmpdir(), "sda-packages-"));
    const list = ["ls", "--omit=dev", "--all", "--parseable"];
    const { stdout } = spawnSync("npm", list, { cwd: packageRoot, encoding: "utf8" });
    // The packages of this checkout are packed already.
    const isOther = (folder: string) => realpathSync(folder).includes("node_modules");
    const folders = stdout.trim().split("\n").slice(1).filter(isOther);
    const more = HOST_PACKAGES.map((name) => join(packageRoot, "node_modules", name));
    const args = ["pack", "--silent", "--ignore-scripts", "--pack-destination", dependencies];
    expect(spawnSync("npm", [...args, ...folders, ...more]).status).toBe(0);
    for (const platform of PLATFORMS) {
      // `npm run pack` packs this platform only. The others are as in a registry, but empty.
      for (const of of [PACKAGE, TORCH_PACKAGE]) {
        const name = platformPackage(platform, of);
        if (isPacked(name)) continue;
        const folder = join(dependencies, "platforms", name);
        mkdirSync(folder, { recursive: true });
        const manifest = platformManifest(readManifest(packageRoot), platform, of, {});
        writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
        expect(spawnSync("npm", [...args, folder]).status).toBe(0);
      }
    }
    const others = readdirSync(dependencies)
      .filter((name) => name.endsWith(".tgz"))
      .map((name) => join(dependencies, name));
    registry = await serveRegistry([...packed, ...others]);
    machine = new Machine();
    machine.copyIn(join(packageRoot, "assets/models"), "models");
  }, 900_000);

  afterAll(() => {
    registry?.close();
    machine?.remove();
    if (dependencies) rmSync(dependencies, { recursive: true });
  }, 600_000);

  /** A folder with the packages installed, and a function that runs commands in it. */
  async function install(node: string, how: string) {
    const folder = `/app-${Math.random().toString(36).slice(2)}`;
    const env = { npm_config_registry: registry.url, npm_config_update_notifier: "false" };
    const run = (command: string) => machine.sh(`cd ${folder}; ${command}`, { node, env });
    await must(machine.sh(`mkdir ${folder}; echo '{"private":true}' > ${folder}/package.json`));
    const installed = await run(how);
    expect(installed.status, installed.stdout + installed.stderr).toBe(0);
    expect(installed.stderr).not.toContain("EBADENGINE");
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

  test.each(Object.entries(managers))("%s installs this platform's addons only", async (_, how) => {
    const { run } = await install("22", how);
    const names =
      "'small-dataset-audio-*' -not -name '*-libtorch-*' -or -name 'torch-checkpoint-*'";
    const list = `find node_modules -name ${names} | grep -oE '[a-z-]+-[a-z0-9-]+$' | sort -u`;
    expect((await must(run(list))).trim().split("\n")).toEqual([OWN, READER]);
    await must(run(`${BIN} doctor`));
  });

  test.each([
    ["npm", "$npm install --ignore-scripts --omit=optional", "$npm install --ignore-scripts"],
    ["pnpm", "$pnpm add --ignore-scripts --no-optional", "$pnpm add --ignore-scripts"],
  ])("%s without optional packages: the error says what to install", async (_, without, add) => {
    const { run } = await install("22", `${without} small-dataset-audio`);
    const refused = await run(`${BIN} inspect ${MODEL} --json`);
    expect(refused.status).toBe(1);
    const [, advice] = /To install it: npm install (\S+)/.exec(refused.stderr) ?? [];
    expect(advice).toMatch(new RegExp(`^${READER}@\\d`));
    await must(run(`${add} ${advice}`));
    await must(run(`${BIN} inspect ${MODEL} --json`));
  });

  test.each([
    ["npm", "20.19.0", "$npm install --engine-strict --ignore-scripts torch-checkpoint"],
    ["pnpm", "24", "$pnpm add --ignore-scripts torch-checkpoint"],
  ])("torch-checkpoint alone: %s, Node %s", async (_, node, how) => {
    const { run } = await install(node, how);
    const bin = "node_modules/.bin/torch-checkpoint";
    expect((await run("find node_modules -name 'small-dataset-audio*' | grep .")).status).not.toBe(
      0,
    );
    expect(JSON.parse(await must(run(`${bin} ls ${MODEL} --json`))).tensors.length).toBeGreaterThan(
      9,
    );
    expect(await must(run(`${bin} cat ${MODEL} format`))).toBe('"sda_model"\n');
    await must(run(`${bin} convert ${MODEL} a.safetensors --key model_state_dict`));
    await must(run(`${bin} scan ${MODEL} a.safetensors`));
    const script = `import("torch-checkpoint").then(async ({ load, Tensor }) =>
      console.log((await load("a.safetensors")).values().next().value instanceof Tensor))`;
    expect(await must(run(`node -e '${script}'`))).toBe("true\n");
  });

  test.each(Object.entries(managers))(
    "%s: LibTorch comes only when it is asked for",
    async (name, how) => {
      const { run } = await install("22", how);
      expect((await run(`ls node_modules/${LIBTORCH_PACKAGE}`)).status).not.toBe(0);
      const load = `node -e 'require("small-dataset-audio")
        .loadModel("${MODEL}", { backend: "libtorch" })
        .then((m) => m.generate({ durationS: 1 }), (e) => e)
        .then((r) => console.log(r.message ?? r.durationS))'`;
      const message = await must(run(load));
      const [, advice] = /To install it: npm install (\S+)/.exec(message) ?? [];
      expect(advice).toBe(`${LIBTORCH_PACKAGE}@2.13`);
      const add = name === "npm" ? "$npm install --ignore-scripts" : "$pnpm add --ignore-scripts";
      await must(run(`${add} ${advice}`));
      expect(Number(await must(run(load)))).toBeGreaterThan(0);
    },
  );

  test("an older Debian, with glibc 2.31", async () => {
    const old = new Machine({ debian: "bullseye", nodes: ["20.19.0"] });
    try {
      old.copyIn(join(packageRoot, "assets/models"), "models");
      const env = { npm_config_registry: registry.url };
      const how = "cd /root && $npm install --ignore-scripts small-dataset-audio";
      await must(old.sh(`${how} && ${BIN} generate ${MODEL} -d 1 -s 42 -o out`, { env }));
      expect(await must(old.sh("head -c 4 /root/out/*.wav"))).toBe("RIFF");
    } finally {
      old.remove();
    }
  });

  test("without the server package, sda serve says what to install", async () => {
    const { run } = await install("22", managers.npm);
    const refused = await run(`${BIN} serve --models-dir /models --port 0`);
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toContain("npm install small-dataset-audio-server");
  });

  test.each(["20.19.0", "24"])("sda serve with the server package: Node %s", async (node) => {
    const { run } = await install(node, `${managers.npm} small-dataset-audio-server`);
    const asked = await must(
      run(`${BIN} serve --models-dir /models --port 0 --json > served & server=$!
        for i in $(seq 100); do [ -s served ] && break; sleep 0.1; done
        node --input-type=module -e '${ASK}'; kill -INT $server; wait $server`),
    );
    const { health, list, page, sound } = JSON.parse(asked);
    expect(health).toMatchObject({ status: "ok", models: 1 });
    expect(list.models).toHaveLength(1);
    expect(page).toContain("<!doctype html>");
    expect(sound).toBe("RIFF");
  });

  const YARN = `export YARN_NPM_REGISTRY_SERVER=$npm_config_registry YARN_ENABLE_TELEMETRY=0 \
    YARN_UNSAFE_HTTP_WHITELIST=127.0.0.1 YARN_ENABLE_GLOBAL_CACHE=false YARN_NPM_MINIMAL_AGE_GATE=0`;
  const both = "small-dataset-audio small-dataset-audio-server";

  test.each([
    ["npm, strict about engines", "20.19.0", `$npm install --engine-strict ${both}`, BIN],
    ["pnpm", "20.19.0", `$pnpm add --ignore-scripts ${both}`, BIN],
    [
      "pnpm, hoisting nothing",
      "22",
      `printf 'hoist: false\\nautoInstallPeers: false\\n' > pnpm-workspace.yaml; $pnpm add ${both}`,
      BIN,
    ],
    [
      "pnpm, a store for all projects",
      "22",
      `echo 'enableGlobalVirtualStore: true' > pnpm-workspace.yaml; CI= $pnpm add ${both}
        readlink -f node_modules/small-dataset-audio | grep /links/`,
      BIN,
    ],
    ["Yarn 1", "20.19.0", `$yarn1 add --registry $npm_config_registry ${both}`, BIN],
    ["Yarn 4, Plug'n'Play", "22", `${YARN}; touch yarn.lock; $yarn4 add ${both}`, "$yarn4 sda"],
  ])("%s, Node %s: sda serve, its output a pipe, and sound", async (_, node, how, sda) => {
    const { run } = await install(node, how);
    const command = `${sda} serve --models-dir /models --port 0 --json --no-open`;
    const asked = await must(
      run(`${YARN}
        timeout -s KILL 120 setsid -w sh -c 'echo $$ > pid; exec ${command}' 2> log | cat > served &
        for i in $(seq 300); do [ -s served ] && break; sleep 0.1; done; cat log >&2
        node --input-type=module -e '${ASK}'; kill -s INT -- -$(cat pid)`),
    );
    const { health, sound } = JSON.parse(asked);
    expect([health.status, sound]).toEqual(["ok", "RIFF"]);
  });

  test("Jest: values of its realm are accepted", async () => {
    machine.addTool("jest@30", "jest");
    const { run } = await install("22", managers.npm);
    await must(run(`cat > a.test.mjs <<'END'\n${JEST_TEST}\nEND`));
    const ended = await run(
      `NODE_OPTIONS=--experimental-vm-modules node /opt/jest/node_modules/jest/bin/jest.js \
        --rootDir . --testMatch '**/*.test.mjs'`,
    );
    expect(ended.stderr).toMatch(/Tests: +1 passed, 1 total/);
    expect(ended.status).toBe(0);
  });

  test("an application with @fastify/multipart and a parser of its own", async () => {
    const how = `${managers.npm} small-dataset-audio-server fastify @fastify/multipart`;
    const { run } = await install("22", how);
    await must(run(`mkdir library; cat > app.mjs <<'END'\n${HOST}\nEND`));
    expect(await must(run("node app.mjs"))).toBe("200\n201\n");
  });

  test("the packages hold what they should, and nothing that runs at install", async () => {
    const { run } = await install("22", managers.npm);
    const at = "node_modules/small-dataset-audio";
    const manifest = JSON.parse(await must(run(`cat ${at}/package.json`)));
    expect(manifest.scripts).toBeUndefined();
    expect(manifest.devDependencies).toBeUndefined();
    expect((await run(`ls ${at}/binding.gyp`)).status).not.toBe(0);
    await must(run(`ls ${at}/LICENSE`));
    for (const [name, addon] of [
      [OWN, "sda_engine"],
      [READER, "sda_checkpoint"],
    ]) {
      await must(run(`ls node_modules/${name}/LICENSE`));
      const files = await must(run(`ls node_modules/${name}/prebuilds/linux-x64`));
      expect(files.split("\n").filter((file) => /sda_(engine|checkpoint)/.test(file))).toEqual([
        `${addon}.node`,
      ]);
    }
    await must(run(`$npm install --ignore-scripts ${LIBTORCH_PACKAGE}`));
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
