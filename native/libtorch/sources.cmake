# The LibTorch backend's sources.
set(SDA_LIBTORCH_DIR ${CMAKE_CURRENT_LIST_DIR})
set(SDA_LIBTORCH_SOURCES
    ${SDA_LIBTORCH_DIR}/device.cc
    ${SDA_LIBTORCH_DIR}/tensors.cc
    ${SDA_LIBTORCH_DIR}/threads.cc
    ${SDA_LIBTORCH_DIR}/torch_backend.cc
    ${SDA_LIBTORCH_DIR}/torch_griffin_lim.cc
    ${SDA_LIBTORCH_DIR}/torch_resynthesis.cc
    ${SDA_LIBTORCH_DIR}/torch_vae.cc
    ${SDA_LIBTORCH_DIR}/torch_vocoder.cc)
