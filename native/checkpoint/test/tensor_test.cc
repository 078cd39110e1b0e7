// Element types, half precision, and strided memory.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "checkpoint/tensor/dtype.h"
#include "checkpoint/tensor/half.h"
#include "checkpoint/tensor/strided.h"

using namespace sda;

TEST_CASE("half_to_double reads subnormals, the extremes, infinity and NaN") {
  CHECK(half_to_double(0x0001) == 0x1p-24);
  CHECK(half_to_double(0x3c00) == 1);
  CHECK(half_to_double(0xfbff) == -65504);
  CHECK(half_to_double(0x7c00) > 1e300);
  const double nan = half_to_double(0x7e00);
  CHECK(nan != nan);
}

TEST_CASE("copy_strided and equals_strided know any layout, for every element size") {
  std::mt19937 random(2);
  bool same = true;
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::int64_t> shape(random() % 6), strides;
    std::int64_t count = 1, last = 0;
    for (auto& size : shape) {
      size = random() % 20 == 0 ? 0 : 1 + static_cast<std::int64_t>(random() % 4);
      count *= size;
    }
    // Row-major, then with dimensions swapped, stretched or expanded.
    strides.resize(shape.size());
    std::int64_t stride = 1;
    for (std::size_t d = shape.size(); d-- > 0; stride *= std::max<std::int64_t>(shape[d], 1))
      strides[d] = random() % 6 == 0 ? 0 : stride * (random() % 6 == 0 ? 2 : 1);
    if (shape.size() > 1 && random() % 2) {
      const std::size_t a = random() % shape.size(), b = random() % shape.size();
      std::swap(shape[a], shape[b]);
      std::swap(strides[a], strides[b]);
    }
    for (std::size_t d = 0; d < shape.size(); ++d)
      last += std::max<std::int64_t>(shape[d] - 1, 0) * strides[d];
    for (const std::size_t item : {1, 2, 4, 8, 16}) {
      std::vector<std::byte> from((static_cast<std::size_t>(last) + 1) * item);
      for (auto& byte : from) byte = static_cast<std::byte>(random());
      std::vector<std::byte> to(static_cast<std::size_t>(count) * item);
      copy_strided(to.data(), from.data(), shape, strides, item);
      for (std::int64_t i = 0; i < count; ++i) {
        std::int64_t rest = i, at = 0;
        for (std::size_t d = shape.size(); d-- > 0; rest /= shape[d])
          at += rest % shape[d] * strides[d];
        same = same && std::memcmp(to.data() + static_cast<std::size_t>(i) * item,
                                   from.data() + static_cast<std::size_t>(at) * item, item) == 0;
      }
      same = same && equals_strided(to.data(), from.data(), shape, strides, item);
      if (to.empty()) continue;
      to[random() % to.size()] ^= std::byte{1};
      same = same && !equals_strided(to.data(), from.data(), shape, strides, item);
    }
  }
  CHECK(same);
}

TEST_CASE("copy_strided ignores the stride of a dimension of size 1") {
  const std::int64_t huge = std::int64_t{1} << 62;
  std::byte one{7}, copy{0};
  copy_strided(&copy, &one, std::vector<std::int64_t>{1, 1}, std::vector<std::int64_t>{huge, huge},
               1);
  const bool copied = copy == one;
  CHECK(copied);
}

TEST_CASE("swap_scalars reverses the bytes of each scalar") {
  std::uint16_t halves[] = {0x0102, 0x0304};
  swap_scalars(reinterpret_cast<std::byte*>(halves), 2, 2);
  CHECK(halves[0] == 0x0201);
  CHECK(halves[1] == 0x0403);
}

TEST_CASE("every dtype is found by its name and consists of whole scalars") {
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    CAPTURE(dtype_name(dtype));
    const bool found = dtype_from_name(dtype_name(dtype)) == dtype;
    CHECK(found);
    CHECK(item_size(dtype) % scalar_size(dtype) == 0);
  }
  CHECK_FALSE(dtype_from_name("float").has_value());
  CHECK_FALSE(dtype_from_name("").has_value());
}
