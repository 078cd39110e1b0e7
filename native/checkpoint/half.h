// IEEE 754 half precision to double.
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

}  // namespace sda
