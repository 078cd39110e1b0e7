#!/usr/bin/env bash
# The reader and the library under AddressSanitizer and UBSan: their native tests, and the vitest files given as arguments
# (by default those of the reader, the hostile files and the library) on an addon built with both.
set -euo pipefail
cd "$(dirname "$0")/.."

tests=("$@")
if [[ ${#tests[@]} -eq 0 ]]; then
  for folder in test/torch test/hostile test/library; do [[ -d $folder ]] && tests+=("$folder"); done
fi

cmake -S . -B build/asan -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSDA_SANITIZE=address,undefined \
  -DSDA_BUILD_ENGINE=OFF -DSDA_BUILD_NATIVE_TESTS=ON >/dev/null
cmake --build build/asan
export UBSAN_OPTIONS=print_stacktrace=1
ctest --test-dir build/asan --output-on-failure

[[ ${#tests[@]} -gt 0 ]] || exit 0
# Node is not built with the sanitizers, so their runtime must come first. Its own leaks at exit are not ours to find
# (the native tests look for ours), and it installs handlers of its own for signals.
compiler=${CXX:-c++}
export LD_PRELOAD="$($compiler -print-file-name=libasan.so) $($compiler -print-file-name=libstdc++.so)"
export ASAN_OPTIONS=detect_leaks=0:allow_user_segv_handler=1:allocator_may_return_null=1
export SDA_CHECKPOINT_ADDON=$PWD/build/asan/RelWithDebInfo/sda_checkpoint.node
exec node node_modules/vitest/vitest.mjs run "${tests[@]}"
