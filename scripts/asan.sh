#!/usr/bin/env bash
# Tests the reader and the library under AddressSanitizer and UBSan. First runs the native tests,
# then vitest on an addon built with both sanitizers. Arguments name the vitest files or folders;
# the default is those of the reader, the hostile files and the library.
set -euo pipefail
cd "$(dirname "$0")/.."

tests=("$@")
if [[ ${#tests[@]} -eq 0 ]]; then
  tests=(test/torch test/hostile test/library)
fi

cmake -S . -B build/asan -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DSDA_SANITIZE=address,undefined -DSDA_BUILD_NATIVE_TESTS=ON >/dev/null
cmake --build build/asan
export UBSAN_OPTIONS=print_stacktrace=1
ctest --test-dir build/asan --output-on-failure

# Node is not built with the sanitizers, so their runtime must be loaded first. Leak detection is
# off, since it reports Node's own leaks; the native tests detect ours. Node installs its own
# signal handlers.
compiler=${CXX:-c++}
runtime=$($compiler -print-file-name=libasan.so)
export LD_PRELOAD="$runtime $($compiler -print-file-name=libstdc++.so)"
export ASAN_OPTIONS=detect_leaks=0:allow_user_segv_handler=1:allocator_may_return_null=1
export SDA_CHECKPOINT_ADDON=$PWD/build/asan/RelWithDebInfo/sda_checkpoint.node
exec node node_modules/vitest/vitest.mjs run "${tests[@]}"
