#!/usr/bin/env bash
# Builds and runs native/*/test/*_test.cc in the build folder of `npm run build`: the engine's too, if that built it.
set -euo pipefail
cd "$(dirname "$0")/.."

[[ -f build/CMakeCache.txt ]] || { echo "Nothing is built: npm run build" >&2; exit 1; }
cmake -S . -B build -DSDA_BUILD_NATIVE_TESTS=ON >/dev/null
cmake --build build
ctest --test-dir build --output-on-failure
