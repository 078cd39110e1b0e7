# sda_add_fuzzers(): every test/fuzz/NAME_fuzz.cc becomes a libFuzzer program. libFuzzer must see
# the branches of the code under test, so all code is instrumented for it, with AddressSanitizer and
# UBSan. That needs a build folder of its own.
if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  message(FATAL_ERROR "SDA_BUILD_FUZZERS needs Clang: -DCMAKE_CXX_COMPILER=clang++")
endif()

function(sda_add_fuzzers)
  target_compile_options(
    sda_options INTERFACE -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
                          -fno-omit-frame-pointer -g)
  target_link_options(sda_options INTERFACE -fsanitize=address,undefined)

  add_library(sda_fuzz STATIC native/addon/marshal/program.cc test/fuzz/program_walk.cc
    test/fuzz/read_everything.cc test/fuzz/wrapped_pickle.cc)
  target_include_directories(sda_fuzz PUBLIC ${CMAKE_SOURCE_DIR}/test/fuzz)
  target_link_libraries(sda_fuzz PUBLIC sda_checkpoint_core sda_library_core)

  file(GLOB targets CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/fuzz/*_fuzz.cc)
  foreach(source ${targets})
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} ${source})
    target_link_libraries(${name} PRIVATE sda_fuzz)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  endforeach()
endfunction()
