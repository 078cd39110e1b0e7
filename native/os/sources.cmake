# What differs between operating systems and processors.
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  set(SDA_OS_SOURCES ${CMAKE_CURRENT_LIST_DIR}/processors_linux.cc)
else()
  set(SDA_OS_SOURCES ${CMAKE_CURRENT_LIST_DIR}/processors_other.cc)
endif()
list(APPEND SDA_OS_SOURCES ${CMAKE_CURRENT_LIST_DIR}/cpu_features.cc)
