// The element types of tensors and arrays, with PyTorch's names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sda {

enum class DType : std::uint8_t {
  kBool,
  kUint8,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUint16,
  kUint32,
  kUint64,
  kFloat16,
  kBFloat16,
  kFloat32,
  kFloat64,
  kComplex32,
  kComplex64,
  kComplex128,
  kFloat8E4M3Fn,
  kFloat8E5M2,
  kFloat8E4M3Fnuz,
  kFloat8E5M2Fnuz,
  kFloat8E8M0Fnu,
  // Those of quantized tensors; a number stands for scale · (number − zero point). In the last two,
  // a byte holds two or four numbers.
  kQInt8,
  kQUInt8,
  kQInt32,
  kQUInt4x2,
  kQUInt2x4,
  // Bits without a meaning of their own, and two floats of four bits in a byte.
  kBits8,
  kBits16,
  kBits1x8,
  kBits2x4,
  kBits4x2,
  kFloat4E2M1FnX2,
};

inline constexpr int kDTypeCount = 32;

// Bytes per element.
std::size_t item_size(DType dtype) noexcept;

// Bytes per scalar, the unit of byte swapping: half of item_size() for complex types.
std::size_t scalar_size(DType dtype) noexcept;

// "float32", "float8_e4m3fn", …: PyTorch's name without "torch.".
std::string_view dtype_name(DType dtype) noexcept;

// "f4", "c16", …: numpy's type code without the byte order; empty where numpy has no such type.
std::string_view numpy_code(DType dtype) noexcept;

// "FloatStorage", …: the class in `torch` of a storage of this dtype; empty where PyTorch has none.
std::string_view storage_class(DType dtype) noexcept;

std::optional<DType> dtype_from_name(std::string_view name) noexcept;
std::optional<DType> dtype_from_numpy_code(std::string_view code) noexcept;
std::optional<DType> dtype_from_storage_class(std::string_view name) noexcept;

}  // namespace sda
