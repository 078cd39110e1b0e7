// A model's weights as the engine takes them: names, shapes and memory. Each tensor shares the
// ownership of its memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "checkpoint/tensor/dtype.h"

namespace sda {

struct NamedTensor {
  std::string name;
  DType dtype;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;  // in elements, never negative; checked against the memory
  std::byte* data;  // the first element; aligned to the item size, host byte order
  std::shared_ptr<const void> owner;  // keeps `data` alive
};

using StateDict = std::vector<NamedTensor>;

}  // namespace sda
