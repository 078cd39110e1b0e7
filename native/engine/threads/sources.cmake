# The engine's threads: standard C++ and native/checkpoint/cancel.h, no LibTorch.
set(SDA_THREADS_SOURCES ${CMAKE_CURRENT_LIST_DIR}/parallel.cc
                        ${CMAKE_CURRENT_LIST_DIR}/scheduler.cc)
if(SDA_THREADS)
  list(APPEND SDA_THREADS_SOURCES ${CMAKE_CURRENT_LIST_DIR}/own_threads.cc)
else()
  list(APPEND SDA_THREADS_SOURCES ${CMAKE_CURRENT_LIST_DIR}/no_threads.cc)
endif()
