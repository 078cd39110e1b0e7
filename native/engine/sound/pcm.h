// Samples as WAV files have them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sda::engine {

enum class PcmFormat : std::uint8_t { kInt16 = 16, kInt24 = 24, kFloat32 = 32 };

constexpr std::size_t bytes_per_sample(PcmFormat format) {
  return static_cast<std::size_t>(format) / 8;
}

// Little-endian. Integers are the nearest of [-1, 1), of two the upper; what is beyond is the last
// one. False, and `out` is of no use, when a sample is not finite.
bool encode_pcm(const float* samples, std::size_t count, PcmFormat format, std::uint8_t* out);

}  // namespace sda::engine
