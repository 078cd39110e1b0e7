#include "checkpoint/tensor/dtype.h"

#include <array>

namespace sda {
namespace {

struct Facts {
  std::string_view name;
  std::uint8_t item_size;
  std::uint8_t scalar_size;
  std::string_view numpy_code;     // empty: numpy has no such type
  std::string_view storage_class;  // empty: PyTorch has no such class
};

// In the order of the enum.
constexpr std::array<Facts, kDTypeCount> kFacts = {{
    {"bool", 1, 1, "b1", "BoolStorage"},
    {"uint8", 1, 1, "u1", "ByteStorage"},
    {"int8", 1, 1, "i1", "CharStorage"},
    {"int16", 2, 2, "i2", "ShortStorage"},
    {"int32", 4, 4, "i4", "IntStorage"},
    {"int64", 8, 8, "i8", "LongStorage"},
    {"uint16", 2, 2, "u2", ""},
    {"uint32", 4, 4, "u4", ""},
    {"uint64", 8, 8, "u8", ""},
    {"float16", 2, 2, "f2", "HalfStorage"},
    {"bfloat16", 2, 2, "", "BFloat16Storage"},
    {"float32", 4, 4, "f4", "FloatStorage"},
    {"float64", 8, 8, "f8", "DoubleStorage"},
    {"complex32", 4, 2, "", ""},
    {"complex64", 8, 4, "c8", "ComplexFloatStorage"},
    {"complex128", 16, 8, "c16", "ComplexDoubleStorage"},
    {"float8_e4m3fn", 1, 1, "", ""},
    {"float8_e5m2", 1, 1, "", ""},
    {"float8_e4m3fnuz", 1, 1, "", ""},
    {"float8_e5m2fnuz", 1, 1, "", ""},
    {"float8_e8m0fnu", 1, 1, "", ""},
    {"qint8", 1, 1, "", "QInt8Storage"},
    {"quint8", 1, 1, "", "QUInt8Storage"},
    {"qint32", 4, 4, "", "QInt32Storage"},
    {"quint4x2", 1, 1, "", "QUInt4x2Storage"},
    {"quint2x4", 1, 1, "", "QUInt2x4Storage"},
    {"bits8", 1, 1, "", ""},
    {"bits16", 2, 2, "", ""},
    {"bits1x8", 1, 1, "", ""},
    {"bits2x4", 1, 1, "", ""},
    {"bits4x2", 1, 1, "", ""},
    {"float4_e2m1fn_x2", 1, 1, "", ""},
}};

constexpr const Facts& facts(DType dtype) { return kFacts[static_cast<std::size_t>(dtype)]; }

std::optional<DType> find(std::string_view Facts::*column, std::string_view text) noexcept {
  if (text.empty()) return std::nullopt;
  for (std::size_t i = 0; i < kFacts.size(); ++i)
    if (kFacts[i].*column == text) return static_cast<DType>(i);
  return std::nullopt;
}

}  // namespace

std::size_t item_size(DType dtype) noexcept { return facts(dtype).item_size; }
std::size_t scalar_size(DType dtype) noexcept { return facts(dtype).scalar_size; }
std::string_view dtype_name(DType dtype) noexcept { return facts(dtype).name; }

std::string_view numpy_code(DType dtype) noexcept { return facts(dtype).numpy_code; }
std::string_view storage_class(DType dtype) noexcept { return facts(dtype).storage_class; }

std::optional<DType> dtype_from_name(std::string_view name) noexcept {
  return find(&Facts::name, name);
}
std::optional<DType> dtype_from_numpy_code(std::string_view code) noexcept {
  return find(&Facts::numpy_code, code);
}
std::optional<DType> dtype_from_storage_class(std::string_view name) noexcept {
  return find(&Facts::storage_class, name);
}

}  // namespace sda
