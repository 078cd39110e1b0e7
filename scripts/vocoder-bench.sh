#!/usr/bin/env bash
# Builds native/engine/bench in the build folder of `npm run build` and runs it. Prints JSON: the
# milliseconds of one second of sound by HiFi-GAN on one thread, and of its multiply-adds alone.
set -euo pipefail
cd "$(dirname "$0")/.."

cmake -S . -B build -DSDA_BUILD_BENCH=ON >/dev/null
cmake --build build --target vocoder_bench >/dev/null
exec build/vocoder_bench "$@"
