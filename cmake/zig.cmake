# A toolchain that builds for other platforms with `zig c++`, a Clang with the C and C++ libraries
# of each:
#
#   cmake --toolchain cmake/zig.cmake -DSDA_ZIG=/path/to/zig -DSDA_ZIG_TARGET=aarch64-linux-gnu.2.28
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES SDA_ZIG SDA_ZIG_TARGET)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)

string(REGEX MATCH "^([a-z0-9_]+)-([a-z]+)" found "${SDA_ZIG_TARGET}")
set(CMAKE_SYSTEM_PROCESSOR ${CMAKE_MATCH_1})
set(system_linux Linux)
set(system_windows Windows)
set(system_macos Darwin)
set(CMAKE_SYSTEM_NAME ${system_${CMAKE_MATCH_2}})

set(CMAKE_CXX_COMPILER ${SDA_ZIG} c++ -target ${SDA_ZIG_TARGET})

# `zig ar` is two words, which CMAKE_AR cannot hold.
set(CMAKE_CXX_ARCHIVE_CREATE "${SDA_ZIG} ar qc <TARGET> <LINK_FLAGS> <OBJECTS>")
set(CMAKE_CXX_ARCHIVE_APPEND "${SDA_ZIG} ar q <TARGET> <LINK_FLAGS> <OBJECTS>")
set(CMAKE_CXX_ARCHIVE_FINISH "${SDA_ZIG} ranlib <TARGET>")
