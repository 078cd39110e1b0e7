# What differs between operating systems.
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  set(SDA_OS_SOURCES ${CMAKE_CURRENT_LIST_DIR}/processors_linux.cc)
else()
  set(SDA_OS_SOURCES ${CMAKE_CURRENT_LIST_DIR}/processors_other.cc)
endif()
