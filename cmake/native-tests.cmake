# sda_add_native_tests(LAYER LIBRARY...): every native/LAYER/test/*_test.cc becomes a doctest
# program linked to the libraries, and a test of ctest.
find_path(SDA_DOCTEST doctest/doctest.h PATHS /usr/include NO_CMAKE_FIND_ROOT_PATH)
if(NOT SDA_DOCTEST)
  message(
    FATAL_ERROR
      "SDA_BUILD_NATIVE_TESTS needs doctest, which CMake did not find. Install the package\n"
      "  doctest-dev (Debian, Ubuntu), doctest-devel (Fedora), doctest (Homebrew, Arch, vcpkg)\n"
      "or set -DSDA_DOCTEST to the folder with doctest/doctest.h.")
endif()
# The header alone: beside it may lie the C library's, which are wrong for another platform.
file(COPY ${SDA_DOCTEST}/doctest/doctest.h DESTINATION ${CMAKE_BINARY_DIR}/doctest/doctest)

add_library(sda_test_main STATIC ${CMAKE_SOURCE_DIR}/native/test/main.cc)
target_include_directories(sda_test_main SYSTEM PUBLIC ${CMAKE_BINARY_DIR}/doctest)
target_link_libraries(sda_test_main PUBLIC sda_options)

function(sda_add_native_tests layer)
  file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/native/${layer}/test/*_test.cc)
  foreach(source ${tests})
    get_filename_component(name ${source} NAME_WE)
    if("${layer}/${name}" IN_LIST SDA_TESTS_LEFT_OUT)
      continue()
    endif()
    string(REPLACE "/" "_" target ${layer}_${name})
    add_executable(${target} ${source})
    target_link_libraries(${target} PRIVATE ${ARGN} sda_test_main)
    if(EMSCRIPTEN)
      sda_wasm_test(${target})
    endif()
    add_test(
      NAME ${layer}/${name}
      COMMAND ${target} ${SDA_TEST_ARGUMENTS}
      WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  endforeach()
endfunction()
