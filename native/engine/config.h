// Limits of a SpectrogramConfig, and the sizes that follow from it.
#pragma once

#include "engine/engine.h"

namespace sda::engine {

// Bounds far above those of any real model. They keep a hostile file from overflowing a size or
// making the engine allocate too much memory.
inline constexpr std::int64_t kMaxSampleRate = 768000;
inline constexpr std::int64_t kMaxFftSize = std::int64_t{1} << 17;
inline constexpr std::int64_t kMaxMels = 4096;
inline constexpr std::int64_t kMaxLatentDim = std::int64_t{1} << 16;

// Both throw kSchema with detail "field".
void check_config(const SpectrogramConfig& config);
void check_latent_dim(std::int64_t latent_dim);

// f_max, or half the sample rate where the configuration has none; Hz.
double upper_frequency(const SpectrogramConfig& config);

// Mel frames of one second of sound, the length that a model decodes.
std::int64_t model_frames(const SpectrogramConfig& config);

// What `layers` layers of stride 2 leave of an extent that is padded to a multiple of 2^layers.
std::int64_t halved(std::int64_t extent, std::int64_t layers);

}  // namespace sda::engine
