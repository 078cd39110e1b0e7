// Making and viewing FloatTensors.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace sda::engine {

// "[3, 1, 128, 94]"; an extent of -1 is "any".
std::string shape_text(const std::vector<std::int64_t>& shape);

// Throws kArgument with detail "option" = name.
[[noreturn]] void bad_argument(const std::string& name, const std::string& message);

// Every extent of the tensor must be at least 1 and match `expected`, where -1 stands for any.
// Otherwise throws kArgument with detail "option" = what.
void check_shape(const FloatTensor& tensor, const std::vector<std::int64_t>& expected,
                 const std::string& what);

// Uninitialised floats that begin on a cache line.
std::shared_ptr<float[]> aligned_floats(std::int64_t count);

// A tensor of its own memory, not initialised, that begins on a cache line.
FloatTensor make_tensor(std::vector<std::int64_t> shape);

// Items [first, first + count) along the first dimension; shares the memory.
FloatTensor slice(const FloatTensor& tensor, std::int64_t first, std::int64_t count);

// The same elements in another shape; shares the memory.
FloatTensor reshaped(const FloatTensor& tensor, std::vector<std::int64_t> shape);

// Rows of equal length → [rows, length]
FloatTensor stack(const std::vector<std::vector<float>>& rows);

}  // namespace sda::engine
