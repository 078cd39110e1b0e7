# The target sda::libtorch: the libraries torch_cpu and c10 of LibTorch, and its headers.
#
# This is not find_package(Torch), which needs the CUDA toolkit when LibTorch is a CUDA build. The
# headers are the same in CPU and CUDA builds, and torch_cuda is opened at run time, so one binary
# works with both.

# The supported versions are stated in lib/native/libtorch.ts only, and read from there.
set(range_source ${CMAKE_SOURCE_DIR}/lib/native/libtorch.ts)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${range_source})
set(range_pattern "^export const LIBTORCH_RANGE = \\[\"([0-9.]+)\", \"([0-9.]+)\"\\] as const")
file(STRINGS ${range_source} range_line REGEX "${range_pattern}")
if(NOT range_line MATCHES "${range_pattern}")
  message(FATAL_ERROR "${range_source} has no line of the form "
                      "'export const LIBTORCH_RANGE = [\"2.11\", \"2.15\"] as const;'.")
endif()
set(SDA_LIBTORCH_MIN ${CMAKE_MATCH_1})
set(SDA_LIBTORCH_BELOW ${CMAKE_MATCH_2})

set(version_header ${SDA_LIBTORCH}/include/torch/headeronly/version.h)
if(NOT EXISTS ${version_header})
  message(FATAL_ERROR "No LibTorch >= ${SDA_LIBTORCH_MIN} in ${SDA_LIBTORCH}: "
                      "include/torch/headeronly/version.h is missing.")
endif()
file(STRINGS ${version_header} version_parts REGEX "^#define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
list(TRANSFORM version_parts REPLACE "^[^ ]+ [^ ]+ " "")
list(JOIN version_parts "." SDA_LIBTORCH_VERSION)
if(SDA_LIBTORCH_VERSION VERSION_LESS SDA_LIBTORCH_MIN
   OR NOT SDA_LIBTORCH_VERSION VERSION_LESS SDA_LIBTORCH_BELOW)
  message(FATAL_ERROR "${SDA_LIBTORCH} has LibTorch ${SDA_LIBTORCH_VERSION}. Supported versions: "
                      ">= ${SDA_LIBTORCH_MIN} and < ${SDA_LIBTORCH_BELOW}.")
endif()
message(STATUS "LibTorch ${SDA_LIBTORCH_VERSION}: ${SDA_LIBTORCH}")

add_library(sda_libtorch_external INTERFACE)
add_library(sda::libtorch ALIAS sda_libtorch_external)
target_include_directories(
  sda_libtorch_external SYSTEM INTERFACE ${SDA_LIBTORCH}/include
                                ${SDA_LIBTORCH}/include/torch/csrc/api/include)
foreach(name torch_cpu c10)
  find_library(SDA_LIB_${name} ${name} PATHS ${SDA_LIBTORCH}/lib NO_DEFAULT_PATH NO_CACHE REQUIRED)
  target_link_libraries(sda_libtorch_external INTERFACE ${SDA_LIB_${name}})
endforeach()
if(UNIX AND NOT APPLE)
  # torch_cpu needs further libraries, such as libcudart in a CUDA build. The loader finds them at
  # run time; this link ignores them.
  target_link_options(sda_libtorch_external INTERFACE -Wl,--allow-shlib-undefined)
endif()
