// Conversions between the public FloatTensor and ATen, and checks that every entry point uses.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "engine/engine.h"

namespace sda::engine {

// "[3, 1, 128, 94]"
std::string shape_text(at::IntArrayRef shape);

// Throws kArgument with detail "option" = name.
[[noreturn]] void bad_argument(const std::string& name, const std::string& message);

// A float32 CPU tensor on the caller's memory, valid as long as `tensor` lives. Every extent must
// match `expected`, where -1 stands for any extent of at least 1. Otherwise throws kArgument with
// detail "option" = what.
at::Tensor view_of(const FloatTensor& tensor, at::IntArrayRef expected, const std::string& what);

// Row-major float32 on the CPU. Shares the tensor's memory if it already has that form; copies
// otherwise.
FloatTensor to_float_tensor(const at::Tensor& tensor);

}  // namespace sda::engine
