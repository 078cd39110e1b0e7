# The engine's threads: standard C++ and native/checkpoint/cancel.h, no LibTorch.
set(SDA_THREADS_SOURCES ${CMAKE_CURRENT_LIST_DIR}/parallel.cc
                        ${CMAKE_CURRENT_LIST_DIR}/scheduler.cc)
