# What differs between operating systems and processors. Each header has one implementation for each
# system.
set(os ${CMAKE_CURRENT_LIST_DIR})
set(SDA_OS_SOURCES ${os}/cpu_features.cc)
if(CMAKE_SYSTEM_NAME STREQUAL "Windows")
  list(APPEND SDA_OS_SOURCES ${os}/windows.cc ${os}/durable_windows.cc ${os}/extras_none.cc
       ${os}/file_windows.cc ${os}/memory_windows.cc ${os}/process_windows.cc
       ${os}/processors_windows.cc ${os}/shared_library_windows.cc)
else()
  list(APPEND SDA_OS_SOURCES ${os}/durable_posix.cc ${os}/file_posix.cc ${os}/memory_posix.cc
       ${os}/shared_library_posix.cc)
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    list(APPEND SDA_OS_SOURCES ${os}/linux.cc ${os}/extras_linux.cc ${os}/process_linux.cc
         ${os}/processors_linux.cc)
  elseif(CMAKE_SYSTEM_NAME STREQUAL "Darwin")
    list(APPEND SDA_OS_SOURCES ${os}/darwin.cc ${os}/extras_none.cc ${os}/process_other.cc
         ${os}/processors_other.cc)
  else()
    list(APPEND SDA_OS_SOURCES ${os}/wasm.cc ${os}/extras_none.cc ${os}/process_other.cc
         ${os}/processors_other.cc)
  endif()
endif()
