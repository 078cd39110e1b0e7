#!/usr/bin/env bash
# Builds and runs native/*/test/*_test.cc. The engine's take part when SDA_LIBTORCH or a build with it tells where LibTorch is.
set -euo pipefail
cd "$(dirname "$0")/.."

libtorch=${SDA_LIBTORCH:-$(node -p 'require("./build/Release/libtorch.json").path' 2>/dev/null || true)}
engine=OFF
[[ -n $libtorch ]] && engine=ON

cmake -S . -B build/native-tests -G Ninja -DSDA_BUILD_ADDONS=OFF -DSDA_BUILD_NATIVE_TESTS=ON \
  -DSDA_BUILD_ENGINE=$engine -DSDA_LIBTORCH="$libtorch" -DSDA_WERROR="${CI:+ON}" >/dev/null
cmake --build build/native-tests
ctest --test-dir build/native-tests --output-on-failure
