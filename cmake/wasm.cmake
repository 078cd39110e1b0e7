# Options for WebAssembly with emscripten 3.1.6: the reader, the engine, their tests and the library
# of native/wasm. scripts/wasm.ts configures both variants: a pool of threads (SDA_THREADS), or
# none.

# The threads of the library that work: those of its pool, or the one that calls. std::thread throws
# for one more than the pool has, and the engine then works with fewer.
if(SDA_THREADS)
  set(SDA_WASM_THREADS 4)
else()
  set(SDA_WASM_THREADS 1)
endif()

set(wasm_options -msimd128)
if(SDA_THREADS)
  # With threads, emscripten 3.1.6 does not catch WebAssembly's own exceptions.
  list(APPEND wasm_options -pthread -fexceptions)
else()
  list(APPEND wasm_options -fwasm-exceptions)
endif()
target_compile_options(
  sda_options INTERFACE ${wasm_options} "SHELL:-include ${CMAKE_SOURCE_DIR}/native/wasm/bit_cast.h")
target_link_options(sda_options INTERFACE ${wasm_options} -sALLOW_MEMORY_GROWTH)

# Gives a program a pool of threads. STRICT=2: a thread beyond the pool is refused at once. It would
# otherwise wait until JavaScript's event loop has started another worker. The warning says that
# JavaScript accesses growing memory slowly, but the work is done in WebAssembly.
function(sda_wasm_pool target threads)
  target_link_options(${target} PRIVATE -sPTHREAD_POOL_SIZE=${threads} -sPTHREAD_POOL_SIZE_STRICT=2
                                        -Wno-pthreads-mem-growth)
endfunction()

# The native tests that are left out.
message(STATUS "left out: the test of a sound's bits, as there is no fused multiply-add")
set(left_out "a seed has the same bits*")
if(NOT SDA_THREADS)
  message(STATUS "left out: tests of the scheduler's threads, as there are none")
  set(SDA_TESTS_LEFT_OUT engine/threads/scheduler_test engine/threads/scheduler_stop_test)
  message(STATUS "left out: the test that reads four documents on four threads")
  string(APPEND left_out ",a large file is read right by two threads*")
endif()
set(SDA_TEST_ARGUMENTS "--test-case-exclude=${left_out}")
message(STATUS "left out: tests of native/os, native/library and native/addon, which are not built")

# Node runs the programs. Without that option, emscripten 3.1.6 would use Node's fetch(), which
# reads no files.
set(CMAKE_CROSSCOMPILING_EMULATOR node --no-experimental-fetch)

# Test programs read fixtures with Node's own functions.
function(sda_wasm_test target)
  target_link_options(${target} PRIVATE -sNODERAWFS -sEXIT_RUNTIME -sENVIRONMENT=node,worker)
  if(SDA_THREADS)
    # A thread that has ended returns to the pool in the event loop, which main() would block.
    target_link_options(${target} PRIVATE -sPROXY_TO_PTHREAD)
    sda_wasm_pool(${target} 16)
  endif()
endfunction()
