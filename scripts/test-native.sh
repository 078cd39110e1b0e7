#!/usr/bin/env bash
# Builds all native tests in the build folder of `npm run build` and runs them. The engine's tests
# are included if that build includes the engine.
set -euo pipefail
cd "$(dirname "$0")/.."

[[ -f build/CMakeCache.txt ]] || { echo "Nothing is built yet. Run: npm run build" >&2; exit 1; }
cmake -S . -B build -DSDA_BUILD_NATIVE_TESTS=ON >/dev/null
cmake --build build
ctest --test-dir build --output-on-failure
