#include "checkpoint/tensor/strided.h"

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

namespace {

template <std::size_t kSize>
bool equal_row(const std::byte* to, const std::byte* from, std::int64_t count,
               std::int64_t stride) {
  for (std::int64_t i = 0; i < count; ++i)
    if (std::memcmp(to + i * static_cast<std::int64_t>(kSize),
                    from + i * stride * static_cast<std::int64_t>(kSize), kSize) != 0)
      return false;
  return true;
}

bool equal_row(const std::byte* to, const std::byte* from, std::int64_t count, std::int64_t stride,
               std::size_t item_size) {
  switch (item_size) {
    case 1:
      return equal_row<1>(to, from, count, stride);
    case 2:
      return equal_row<2>(to, from, count, stride);
    case 4:
      return equal_row<4>(to, from, count, stride);
    case 8:
      return equal_row<8>(to, from, count, stride);
    default:
      return equal_row<16>(to, from, count, stride);
  }
}

// Calls row(offset in bytes in row-major memory, offset in bytes from the first element, count,
// stride) for each row, until it returns false. Returns whether no call did.
template <typename Row>
bool each_row(std::span<const std::int64_t> shape, std::span<const std::int64_t> strides,
              std::size_t item_size, Row&& row) {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return true;
  // Drops dimensions of size 1 and joins neighbours that are contiguous: otherwise 64 dimensions
  // would cost 64 steps for every element.
  struct Dimension {
    std::int64_t size, stride, index;
  };
  std::vector<Dimension> dimensions;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 1) continue;
    std::int64_t joined;
    if (!dimensions.empty() && !__builtin_mul_overflow(shape[d], strides[d], &joined) &&
        dimensions.back().stride == joined) {
      dimensions.back().size *= shape[d];
      dimensions.back().stride = strides[d];
    } else {
      dimensions.push_back({shape[d], strides[d], 0});
    }
  }
  if (dimensions.empty()) return row(0, 0, 1, 1);
  const auto item = static_cast<std::int64_t>(item_size);
  const Dimension inner = dimensions.back();
  dimensions.pop_back();
  std::int64_t to = 0, from = 0;
  for (;;) {
    if (!row(to, from, inner.size, inner.stride)) return false;
    to += inner.size * item;
    std::size_t d = dimensions.size();
    for (; d > 0; --d) {
      Dimension& dimension = dimensions[d - 1];
      if (++dimension.index < dimension.size) {
        from += dimension.stride * item;
        break;
      }
      from -= (dimension.size - 1) * dimension.stride * item;
      dimension.index = 0;
    }
    if (d == 0) return true;
  }
}

}  // namespace

void copy_strided(std::byte* to, const std::byte* from, std::span<const std::int64_t> shape,
                  std::span<const std::int64_t> strides, std::size_t item_size) noexcept {
  each_row(shape, strides, item_size,
           [&](std::int64_t at, std::int64_t source, std::int64_t count, std::int64_t stride) {
             copy_row(to + at, from + source, count, stride, item_size);
             return true;
           });
}

bool equals_strided(const std::byte* row_major, const std::byte* from,
                    std::span<const std::int64_t> shape, std::span<const std::int64_t> strides,
                    std::size_t item_size) noexcept {
  return each_row(
      shape, strides, item_size,
      [&](std::int64_t at, std::int64_t source, std::int64_t count, std::int64_t stride) {
        return equal_row(row_major + at, from + source, count, stride, item_size);
      });
}

}  // namespace sda
