// Copies strided memory to row-major memory, compares the two, and swaps bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "checkpoint/tensor/dtype.h"

namespace sda {

// Reverses the bytes of each of `count` scalars of `size` bytes (1, 2, 4 or 8) in place.
void swap_scalars(std::byte* data, std::uint64_t count, std::size_t size) noexcept;

// Copies a tensor of `shape` and `strides` (in elements) from `from` to `to`, row-major.
void copy_strided(std::byte* to, const std::byte* from, std::span<const std::int64_t> shape,
                  std::span<const std::int64_t> strides, std::size_t item_size) noexcept;

// Whether `row_major` holds what copy_strided() would copy to it.
bool equals_strided(const std::byte* row_major, const std::byte* from,
                    std::span<const std::int64_t> shape, std::span<const std::int64_t> strides,
                    std::size_t item_size) noexcept;

}  // namespace sda
