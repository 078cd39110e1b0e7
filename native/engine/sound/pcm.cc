#include "engine/sound/pcm.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace sda::engine {
namespace {

static_assert(std::endian::native == std::endian::little);

// The level, counted from the lowest one, so that truncating the value plus 0.5 rounds it. In
// double precision, the product of a float and a power of two is exact, and so is the sum.
template <int bits>
std::uint32_t level(float sample) {
  constexpr double kScale = std::uint32_t{1} << (bits - 1);
  const double exact = static_cast<double>(sample) * kScale + (kScale + 0.5);
  return static_cast<std::uint32_t>(std::clamp(exact, 0.0, 2 * kScale - 1));
}

// Flipping the uppermost bit turns a level into a signed integer.
template <int bits>
void encode(const float* samples, std::size_t count, std::uint8_t* out) {
  constexpr std::uint32_t kSign = std::uint32_t{1} << (bits - 1);
  for (std::size_t i = 0; i < count; ++i, out += bits / 8) {
    const std::uint32_t word = level<bits>(samples[i]) ^ kSign;
    std::memcpy(out, &word, bits / 8);
  }
}

// x − x is 0 if x is finite, and NaN otherwise.
bool are_finite(const float* samples, std::size_t count) {
  bool finite = true;
  for (std::size_t i = 0; i < count; ++i) finite &= samples[i] - samples[i] == 0;
  return finite;
}

}  // namespace

bool encode_pcm(const float* samples, std::size_t count, PcmFormat format, std::uint8_t* out) {
  if (!are_finite(samples, count)) return false;
  switch (format) {
    case PcmFormat::kInt16:
      encode<16>(samples, count, out);
      break;
    case PcmFormat::kInt24:
      encode<24>(samples, count, out);
      break;
    case PcmFormat::kFloat32:
      std::memcpy(out, samples, count * sizeof(float));
      break;
  }
  return true;
}

}  // namespace sda::engine
