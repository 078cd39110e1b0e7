// IEEE 754 half precision to float and double and back.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace sda {

// Has no branches, so that compilers vectorise loops of it: the shifted bits are the number divided
// by 2^112, also when it is subnormal.
inline float half_to_float(std::uint16_t bits) noexcept {
  const std::uint32_t magnitude = std::uint32_t{bits & 0x7FFFU} << 13;
  const std::uint32_t finite =
      std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112F);
  const std::uint32_t special = magnitude | 0x7F800000U;  // infinities and NaN
  const std::uint32_t found = magnitude >= 0x0F800000U ? special : finite;
  return std::bit_cast<float>(found | std::uint32_t{bits & 0x8000U} << 16);
}

inline double half_to_double(std::uint16_t bits) noexcept { return double{half_to_float(bits)}; }

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
