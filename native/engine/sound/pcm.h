// Samples in the formats of WAV files.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sda::engine {

enum class PcmFormat : std::uint8_t { kInt16 = 16, kInt24 = 24, kFloat32 = 32 };

constexpr std::size_t bytes_per_sample(PcmFormat format) {
  return static_cast<std::size_t>(format) / 8;
}

// Writes `count` samples to `out`, little-endian. Integer formats round to the nearest level,
// halves upwards, and clamp to [-1, 1). Returns false if a sample is not finite; `out` is then
// undefined.
bool encode_pcm(const float* samples, std::size_t count, PcmFormat format, std::uint8_t* out);

}  // namespace sda::engine
