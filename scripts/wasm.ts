/**
 * `npm run test:wasm`: builds the reader and the engine as WebAssembly, without threads and with a
 * pool of threads, and runs their native tests and test/wasm in Node.
 */
import { join } from "node:path";
import { packageRoot } from "../lib/native/package-root.js";
import { BuildError, mainProgram, run, runs, say } from "./lib/process.js";

const TOOLCHAIN = "/usr/share/emscripten/cmake/Modules/Platform/Emscripten.cmake";
/** Emscripten runs programs of Debian's Node packages, which another Node does not find itself. */
const env = {
  ...process.env,
  NODE_PATH: [process.env["NODE_PATH"], "/usr/share/nodejs"].filter(Boolean).join(":"),
};
const VARIANTS = { wasm: "OFF", "wasm-threads": "ON" };

await mainProgram(() => {
  for (const [tool, name] of [
    ["em++", "emscripten"],
    ["cmake", "cmake"],
    ["ninja", "ninja-build"],
  ] as const) {
    if (!runs(tool)) throw new BuildError(`${tool} is missing: apt-get install ${name}`);
  }
  for (const [folder, threads] of Object.entries(VARIANTS)) {
    const build = join(packageRoot, "build", folder);
    say(`${folder}: building`);
    const options = [`-DSDA_THREADS=${threads}`, "-DSDA_BUILD_NATIVE_TESTS=ON"];
    const configure = ["-S", packageRoot, "-B", build, "-G", "Ninja", "--toolchain", TOOLCHAIN];
    run("cmake", [...configure, ...options], { env });
    run("cmake", ["--build", build], { env });
    run("ctest", ["--test-dir", build, "--output-on-failure", "--no-tests=error"]);
  }
  run("npx", ["vitest", "run", "test/wasm"], { cwd: packageRoot });
});
