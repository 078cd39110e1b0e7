#!/usr/bin/env bash
# Builds native/libtorch/bench in the build folder of `npm run build` and runs it on a model
# (default: the bundled one). Prints JSON: the milliseconds of each part of making one second of
# sound.
set -euo pipefail
cd "$(dirname "$0")/.."

grep -qs '^SDA_LIBTORCH:PATH=.' build/CMakeCache.txt ||
  { echo "It compares with LibTorch. Run: npm run build:libtorch" >&2; exit 1; }
cmake -S . -B build -DSDA_BUILD_BENCH=ON >/dev/null
cmake --build build --target engine_bench >/dev/null
exec build/engine_bench "${1:-assets/models/synthetic-plucks.sda}" "${@:2}"
