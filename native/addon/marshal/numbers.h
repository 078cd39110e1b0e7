// The integers that JavaScript numbers represent exactly.
#pragma once

#include <cmath>
#include <cstdint>

namespace sda::addon {

// Number.MAX_SAFE_INTEGER.
inline constexpr std::int64_t kSafeInteger = (std::int64_t{1} << 53) - 1;

inline constexpr bool is_safe(std::int64_t value) noexcept {
  return value >= -kSafeInteger && value <= kSafeInteger;
}

inline bool is_safe_integer(double value) noexcept {
  return std::abs(value) <= static_cast<double>(kSafeInteger) && value == std::floor(value);
}

}  // namespace sda::addon
