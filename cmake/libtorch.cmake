# LibTorch as one imported target, sda::libtorch, of torch_cpu and c10 only.
#
# Not find_package(Torch): with a CUDA build of LibTorch its config asks for the CUDA toolkit. The headers used
# here are the same in the CPU and CUDA builds, and torch_cuda is opened at run time, so one binary serves both.
set(SDA_LIBTORCH_MIN 2.11)
set(SDA_LIBTORCH_BELOW 2.15) # lib/native/libtorch.ts has the same range

if(NOT SDA_LIBTORCH)
  message(FATAL_ERROR "SDA_LIBTORCH is not set. `npm run build` finds or fetches LibTorch; "
                      "by hand: -DSDA_LIBTORCH=/path/to/libtorch, or -DSDA_BUILD_ENGINE=OFF for the file reader only.")
endif()

set(version_header ${SDA_LIBTORCH}/include/torch/headeronly/version.h)
if(NOT EXISTS ${version_header})
  message(FATAL_ERROR "No LibTorch >= ${SDA_LIBTORCH_MIN} in ${SDA_LIBTORCH}: "
                      "include/torch/headeronly/version.h is missing.")
endif()
file(STRINGS ${version_header} version_parts REGEX "^#define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
list(TRANSFORM version_parts REPLACE "^[^ ]+ [^ ]+ " "")
list(JOIN version_parts "." SDA_LIBTORCH_VERSION)
if(SDA_LIBTORCH_VERSION VERSION_LESS SDA_LIBTORCH_MIN OR NOT SDA_LIBTORCH_VERSION VERSION_LESS SDA_LIBTORCH_BELOW)
  message(FATAL_ERROR "LibTorch ${SDA_LIBTORCH_VERSION} in ${SDA_LIBTORCH}: "
                      "supported are >= ${SDA_LIBTORCH_MIN} and < ${SDA_LIBTORCH_BELOW}.")
endif()
message(STATUS "LibTorch ${SDA_LIBTORCH_VERSION}: ${SDA_LIBTORCH}")

add_library(sda_libtorch INTERFACE)
add_library(sda::libtorch ALIAS sda_libtorch)
target_include_directories(
  sda_libtorch SYSTEM INTERFACE ${SDA_LIBTORCH}/include ${SDA_LIBTORCH}/include/torch/csrc/api/include)
foreach(name torch_cpu c10)
  find_library(SDA_LIB_${name} ${name} PATHS ${SDA_LIBTORCH}/lib NO_DEFAULT_PATH NO_CACHE REQUIRED)
  target_link_libraries(sda_libtorch INTERFACE ${SDA_LIB_${name}})
endforeach()
if(UNIX AND NOT APPLE)
  # What torch_cpu itself needs (a CUDA build wants libcudart) is the loader's business, not this link's.
  target_link_options(sda_libtorch INTERFACE -Wl,--allow-shlib-undefined)
endif()
