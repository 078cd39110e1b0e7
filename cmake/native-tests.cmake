# sda_add_native_tests(LAYER LIBRARY...): every native/LAYER/test/*_test.cc becomes a doctest
# program linked to the libraries, and a test of ctest.
if(EMSCRIPTEN)
  sda_wasm_doctest()
else()
  find_package(doctest CONFIG QUIET)
endif()
if(NOT TARGET doctest::doctest)
  message(
    FATAL_ERROR
      "SDA_BUILD_NATIVE_TESTS needs doctest, which CMake did not find. Install the package\n"
      "  doctest-dev (Debian, Ubuntu), doctest-devel (Fedora), doctest (Homebrew, Arch, vcpkg)\n"
      "or set -Ddoctest_DIR to the folder of doctestConfig.cmake.")
endif()

add_library(sda_test_main STATIC ${CMAKE_SOURCE_DIR}/native/test/main.cc)
target_link_libraries(sda_test_main PUBLIC sda_options doctest::doctest)

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
