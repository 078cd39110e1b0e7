# Compiles through ccache if it is installed. CCACHE_BASEDIR lets two checkouts share results.
# ccache's manual asks for CCACHE_SLOPPINESS with precompiled headers.
find_program(SDA_CCACHE ccache)
if(SDA_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${SDA_CCACHE})
  if(NOT MSVC)
    add_compile_options($<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
  endif()
endif()
