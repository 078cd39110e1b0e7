#include "engine/sound/pcm.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace sda::engine {
namespace {

static_assert(std::endian::native == std::endian::little);

// Counted from the lowest, so that cutting off the fraction rounds. A float times a power of two is
// exact, and so are the sums with what lies half-way.
template <int bits>
std::uint32_t level(float sample) {
  constexpr double kScale = std::uint32_t{1} << (bits - 1);
  const double exact = static_cast<double>(sample) * kScale + (kScale + 0.5);
  return static_cast<std::uint32_t>(std::clamp(exact, 0.0, 2 * kScale - 1));
}

// The uppermost bit is the sign.
template <int bits>
void encode(const float* samples, std::size_t count, std::uint8_t* out) {
  constexpr std::uint32_t kSign = std::uint32_t{1} << (bits - 1);
  for (std::size_t i = 0; i < count; ++i, out += bits / 8) {
    const std::uint32_t word = level<bits>(samples[i]) ^ kSign;
    std::memcpy(out, &word, bits / 8);
  }
}

// The difference is 0 for what is finite, and no number for the rest.
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
