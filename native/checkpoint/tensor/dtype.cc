#include "checkpoint/tensor/dtype.h"

#include <array>

namespace sda {
namespace {

struct Facts {
  std::string_view name;
  std::uint8_t item_size;
  std::uint8_t scalar_size;
};

// In the order of the enum.
constexpr std::array<Facts, kDTypeCount> kFacts = {{
    {"bool", 1, 1},
    {"uint8", 1, 1},
    {"int8", 1, 1},
    {"int16", 2, 2},
    {"int32", 4, 4},
    {"int64", 8, 8},
    {"uint16", 2, 2},
    {"uint32", 4, 4},
    {"uint64", 8, 8},
    {"float16", 2, 2},
    {"bfloat16", 2, 2},
    {"float32", 4, 4},
    {"float64", 8, 8},
    {"complex32", 4, 2},
    {"complex64", 8, 4},
    {"complex128", 16, 8},
    {"float8_e4m3fn", 1, 1},
    {"float8_e5m2", 1, 1},
    {"float8_e4m3fnuz", 1, 1},
    {"float8_e5m2fnuz", 1, 1},
    {"float8_e8m0fnu", 1, 1},
}};

constexpr const Facts& facts(DType dtype) { return kFacts[static_cast<std::size_t>(dtype)]; }

}  // namespace

std::size_t item_size(DType dtype) noexcept { return facts(dtype).item_size; }
std::size_t scalar_size(DType dtype) noexcept { return facts(dtype).scalar_size; }
std::string_view dtype_name(DType dtype) noexcept { return facts(dtype).name; }

std::optional<DType> dtype_from_name(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kFacts.size(); ++i)
    if (kFacts[i].name == name) return static_cast<DType>(i);
  return std::nullopt;
}

}  // namespace sda
