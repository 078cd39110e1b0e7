# The engine's sources and what they need beside LibTorch. Included by the root CMakeLists.txt, after
# cmake/libtorch.cmake.
set(SDA_ENGINE_DIR ${CMAKE_CURRENT_LIST_DIR})
set(SDA_ENGINE_SOURCES
    ${SDA_ENGINE_DIR}/butterworth.cc
    ${SDA_ENGINE_DIR}/config.cc
    ${SDA_ENGINE_DIR}/conv_decoder.cc
    ${SDA_ENGINE_DIR}/conv_kernels.cc
    ${SDA_ENGINE_DIR}/conv_kernels_plain.cc
    ${SDA_ENGINE_DIR}/conv_vae.cc
    ${SDA_ENGINE_DIR}/device.cc
    ${SDA_ENGINE_DIR}/engine.cc
    ${SDA_ENGINE_DIR}/finishing.cc
    ${SDA_ENGINE_DIR}/first_latents.cc
    ${SDA_ENGINE_DIR}/frame_fft.cc
    ${SDA_ENGINE_DIR}/generate_options.cc
    ${SDA_ENGINE_DIR}/generation.cc
    ${SDA_ENGINE_DIR}/griffin_lim.cc
    ${SDA_ENGINE_DIR}/griffin_lim_aten.cc
    ${SDA_ENGINE_DIR}/joining.cc
    ${SDA_ENGINE_DIR}/kernels.cc
    ${SDA_ENGINE_DIR}/lane_fft.cc
    ${SDA_ENGINE_DIR}/lane_griffin_lim.cc
    ${SDA_ENGINE_DIR}/latent_path.cc
    ${SDA_ENGINE_DIR}/latent_source.cc
    ${SDA_ENGINE_DIR}/loudness.cc
    ${SDA_ENGINE_DIR}/mel_scale.cc
    ${SDA_ENGINE_DIR}/parallel.cc
    ${SDA_ENGINE_DIR}/pcm.cc
    ${SDA_ENGINE_DIR}/quality.cc
    ${SDA_ENGINE_DIR}/resample.cc
    ${SDA_ENGINE_DIR}/scheduler.cc
    ${SDA_ENGINE_DIR}/spatial.cc
    ${SDA_ENGINE_DIR}/spectral_tables.cc
    ${SDA_ENGINE_DIR}/spectrogram.cc
    ${SDA_ENGINE_DIR}/stft.cc
    ${SDA_ENGINE_DIR}/tensors.cc
    ${SDA_ENGINE_DIR}/vae_weights.cc)

# So that square roots vectorise; and no product may be fused with a sum, which would round otherwise on
# processors that can: the same sound on all of them.
set_source_files_properties(
  ${SDA_ENGINE_DIR}/conv_kernels_plain.cc ${SDA_ENGINE_DIR}/kernels.cc ${SDA_ENGINE_DIR}/lane_fft.cc
  PROPERTIES COMPILE_OPTIONS "-O3;-fno-math-errno;-fno-trapping-math;-ffp-contract=off;-Wno-psabi")

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(APPEND SDA_ENGINE_SOURCES ${SDA_ENGINE_DIR}/conv_kernels_avx512.cc
       ${SDA_ENGINE_DIR}/conv_kernels_fma.cc)
  # GCC 12 warns of what its own header leaves undefined.
  set_source_files_properties(
    ${SDA_ENGINE_DIR}/conv_kernels_avx512.cc
    PROPERTIES COMPILE_OPTIONS
               "-O3;-ffp-contract=off;-mavx512f;-mavx2;-mfma;-Wno-maybe-uninitialized")
  set_source_files_properties(${SDA_ENGINE_DIR}/conv_kernels_fma.cc
                              PROPERTIES COMPILE_OPTIONS "-O3;-ffp-contract=off;-mavx2;-mfma")
endif()

set(SDA_ENGINE_LIBRARIES ${CMAKE_DL_LIBS})
if(TARGET sda_libtorch)
  target_link_libraries(sda_libtorch INTERFACE ${SDA_ENGINE_LIBRARIES})
endif()
