#include "checkpoint/strided.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace sda {
namespace {

template <std::size_t kSize>
void copy_row(std::byte* to, const std::byte* from, std::int64_t count, std::int64_t stride) {
  for (std::int64_t i = 0; i < count; ++i)
    std::memcpy(to + i * static_cast<std::int64_t>(kSize),
                from + i * stride * static_cast<std::int64_t>(kSize), kSize);
}

void copy_row(std::byte* to, const std::byte* from, std::int64_t count, std::int64_t stride,
              std::size_t item_size) {
  switch (item_size) {
    case 1:
      return copy_row<1>(to, from, count, stride);
    case 2:
      return copy_row<2>(to, from, count, stride);
    case 4:
      return copy_row<4>(to, from, count, stride);
    case 8:
      return copy_row<8>(to, from, count, stride);
    default:
      return copy_row<16>(to, from, count, stride);
  }
}

}  // namespace

void swap_scalars(std::byte* data, std::uint64_t count, std::size_t size) noexcept {
  if (size == 1) return;
  for (std::uint64_t i = 0; i < count; ++i) std::reverse(data + i * size, data + (i + 1) * size);
}

void copy_strided(std::byte* to, const std::byte* from, std::span<const std::int64_t> shape,
                  std::span<const std::int64_t> strides, std::size_t item_size) noexcept {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return;
  if (shape.empty()) {
    std::memcpy(to, from, item_size);
    return;
  }
  const auto item = static_cast<std::int64_t>(item_size);
  const std::size_t outer = shape.size() - 1;
  std::vector<std::int64_t> index(outer, 0);
  for (;;) {
    std::int64_t start = 0;
    for (std::size_t d = 0; d < outer; ++d) start += index[d] * strides[d];
    copy_row(to, from + start * item, shape[outer], strides[outer], item_size);
    to += shape[outer] * item;
    std::size_t d = outer;
    while (d > 0 && ++index[d - 1] == shape[d - 1]) index[--d] = 0;
    if (d == 0) return;
  }
}

}  // namespace sda
