// IEEE 754 half precision to double and back.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

namespace sda {

inline double half_to_double(std::uint16_t bits) noexcept {
  const int exponent = (bits >> 10) & 0x1F;
  const int fraction = bits & 0x3FF;
  double magnitude;
  if (exponent == 0)
    magnitude = std::ldexp(fraction, -24);
  else if (exponent == 31)
    magnitude = fraction ? std::numeric_limits<double>::quiet_NaN()
                         : std::numeric_limits<double>::infinity();
  else
    magnitude = std::ldexp(fraction + 0x400, exponent - 25);
  return (bits & 0x8000) ? -magnitude : magnitude;
}

// Exact for a double that came from a half; others are rounded to even.
inline std::uint16_t double_to_half(double value) noexcept {
  const std::uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::fabs(value);
  if (std::isnan(value)) return sign | 0x7E00;
  if (magnitude >= 65520) return sign | 0x7C00;
  if (magnitude < 0x1p-14)  // subnormal; may round up to the smallest normal number
    return sign | static_cast<std::uint16_t>(std::lrint(std::ldexp(magnitude, 24)));
  const int exponent = std::ilogb(magnitude);
  const auto fraction = static_cast<int>(std::lrint(std::ldexp(magnitude, 10 - exponent))) - 0x400;
  return sign | static_cast<std::uint16_t>(((exponent + 15) << 10) + fraction);
}

}  // namespace sda
