#!/usr/bin/env bash
# Runs the tests of the hand-written concurrency under ThreadSanitizer: the engine's scheduler and
# parallel loops, and the addons' thread pool. Needs neither LibTorch nor Node.
set -euo pipefail
cd "$(dirname "$0")/.."

cmake -S . -B build/tsan -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSDA_SANITIZE=thread \
  -DSDA_BUILD_ADDONS=OFF -DSDA_BUILD_NATIVE_TESTS=ON >/dev/null
cmake --build build/tsan --target \
  engine_threads_scheduler_test engine_threads_scheduler_stop_test addon_thread_pool_test

export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
# ThreadSanitizer cannot place its shadow memory where the kernel randomises addresses widely.
run=()
if command -v setarch >/dev/null && setarch -R true 2>/dev/null; then run=(setarch -R); fi
"${run[@]}" ctest --test-dir build/tsan --output-on-failure --no-tests=error \
  --tests-regex '^(engine/threads|addon)/'
