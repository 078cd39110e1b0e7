# The engine's sources.
set(SDA_ENGINE_DIR ${CMAKE_CURRENT_LIST_DIR})
set(SDA_ENGINE_SOURCES
    ${SDA_ENGINE_DIR}/codes/prior.cc
    ${SDA_ENGINE_DIR}/codes/vq_vae.cc
    ${SDA_ENGINE_DIR}/config.cc
    ${SDA_ENGINE_DIR}/device_backend.cc
    ${SDA_ENGINE_DIR}/engine.cc
    ${SDA_ENGINE_DIR}/float_tensor.cc
    ${SDA_ENGINE_DIR}/generation/chunk_generator.cc
    ${SDA_ENGINE_DIR}/generation/code_generator.cc
    ${SDA_ENGINE_DIR}/generation/finishing.cc
    ${SDA_ENGINE_DIR}/generation/first_latents.cc
    ${SDA_ENGINE_DIR}/generation/generate_options.cc
    ${SDA_ENGINE_DIR}/generation/generation.cc
    ${SDA_ENGINE_DIR}/generation/generator.cc
    ${SDA_ENGINE_DIR}/generation/latent_path.cc
    ${SDA_ENGINE_DIR}/generation/latent_source.cc
    ${SDA_ENGINE_DIR}/generation/mel_generator.cc
    ${SDA_ENGINE_DIR}/generation/overlap_path.cc
    ${SDA_ENGINE_DIR}/kernels.cc
    ${SDA_ENGINE_DIR}/network/conv_decoder.cc
    ${SDA_ENGINE_DIR}/network/conv_encoder.cc
    ${SDA_ENGINE_DIR}/network/conv_kernels.cc
    ${SDA_ENGINE_DIR}/network/conv_kernels_plain.cc
    ${SDA_ENGINE_DIR}/network/conv_layer.cc
    ${SDA_ENGINE_DIR}/network/conv_vae.cc
    ${SDA_ENGINE_DIR}/network/vae_weights.cc
    ${SDA_ENGINE_DIR}/network/weight_collector.cc
    ${SDA_ENGINE_DIR}/random/torch_random.cc
    ${SDA_ENGINE_DIR}/sound/butterworth.cc
    ${SDA_ENGINE_DIR}/sound/joining.cc
    ${SDA_ENGINE_DIR}/sound/loudness.cc
    ${SDA_ENGINE_DIR}/sound/pcm.cc
    ${SDA_ENGINE_DIR}/sound/quality.cc
    ${SDA_ENGINE_DIR}/sound/resample.cc
    ${SDA_ENGINE_DIR}/sound/spatial.cc
    ${SDA_ENGINE_DIR}/spectrum/frame_fft.cc
    ${SDA_ENGINE_DIR}/spectrum/griffin_lim.cc
    ${SDA_ENGINE_DIR}/spectrum/lane_fft.cc
    ${SDA_ENGINE_DIR}/spectrum/lane_griffin_lim.cc
    ${SDA_ENGINE_DIR}/spectrum/mel_scale.cc
    ${SDA_ENGINE_DIR}/spectrum/spectral_tables.cc
    ${SDA_ENGINE_DIR}/spectrum/spectrogram.cc
    ${SDA_ENGINE_DIR}/spectrum/stft.cc
    ${SDA_ENGINE_DIR}/spectrum/tridiagonal.cc
    ${SDA_ENGINE_DIR}/vocoder/complex_synthesis.cc
    ${SDA_ENGINE_DIR}/vocoder/conv1d_kernels.cc
    ${SDA_ENGINE_DIR}/vocoder/conv1d_kernels_plain.cc
    ${SDA_ENGINE_DIR}/vocoder/hifi_gan.cc
    ${SDA_ENGINE_DIR}/vocoder/local_synthesis.cc)

# The math flags let the compiler vectorise square roots. -ffp-contract=off forbids it to fuse a
# product with a sum: a fused operation rounds differently, and the sound must be the same on every
# processor.
set_source_files_properties(
  ${SDA_ENGINE_DIR}/network/conv_kernels_plain.cc ${SDA_ENGINE_DIR}/kernels.cc
  ${SDA_ENGINE_DIR}/spectrum/lane_fft.cc ${SDA_ENGINE_DIR}/vocoder/conv1d_kernels_plain.cc
  PROPERTIES COMPILE_OPTIONS "-O3;-fno-math-errno;-fno-trapping-math;-ffp-contract=off;-Wno-psabi")

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(APPEND SDA_ENGINE_SOURCES
       ${SDA_ENGINE_DIR}/network/conv_kernels_avx512.cc
       ${SDA_ENGINE_DIR}/network/conv_kernels_fma.cc
       ${SDA_ENGINE_DIR}/vocoder/conv1d_kernels_avx512.cc
       ${SDA_ENGINE_DIR}/vocoder/conv1d_kernels_fma.cc)
  # GCC 12 warns about variables that its own header leaves uninitialised.
  set(no_false_warning $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  set_source_files_properties(
    ${SDA_ENGINE_DIR}/network/conv_kernels_avx512.cc
    ${SDA_ENGINE_DIR}/vocoder/conv1d_kernels_avx512.cc
    PROPERTIES COMPILE_OPTIONS
               "-O3;-ffp-contract=off;-mavx512f;-mavx2;-mfma;${no_false_warning}")
  set_source_files_properties(
    ${SDA_ENGINE_DIR}/network/conv_kernels_fma.cc ${SDA_ENGINE_DIR}/vocoder/conv1d_kernels_fma.cc
                              PROPERTIES COMPILE_OPTIONS "-O3;-ffp-contract=off;-mavx2;-mfma")
endif()

if(EMSCRIPTEN)
  set_property(
    SOURCE ${SDA_ENGINE_DIR}/network/conv_kernels_plain.cc ${SDA_ENGINE_DIR}/kernels.cc
           ${SDA_ENGINE_DIR}/vocoder/conv1d_kernels_plain.cc
    APPEND
    PROPERTY COMPILE_OPTIONS -include ${CMAKE_SOURCE_DIR}/native/wasm/unfused.h)
endif()
