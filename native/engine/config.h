// What a SpectrogramConfig may hold, and the sizes that follow from it.
#pragma once

#include "engine/engine.h"

namespace sda::engine {

// Bounds far beyond any model that makes sense, so that a hostile file can neither overflow a size
// nor make the engine allocate absurdly.
inline constexpr std::int64_t kMaxSampleRate = 768000;
inline constexpr std::int64_t kMaxFftSize = std::int64_t{1} << 17;
inline constexpr std::int64_t kMaxMels = 4096;
inline constexpr std::int64_t kMaxLatentDim = std::int64_t{1} << 16;

// Throws kSchema with detail "field".
void check_config(const SpectrogramConfig& config);
void check_latent_dim(std::int64_t latent_dim);

double upper_frequency(const SpectrogramConfig& config);

// Mel frames of one second, which is what a model decodes.
std::int64_t model_frames(const SpectrogramConfig& config);

// Rounded up to a multiple of 16: four layers of stride 2.
std::int64_t padded_to_16(std::int64_t extent);

}  // namespace sda::engine
