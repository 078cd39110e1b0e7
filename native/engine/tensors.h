// Between the public FloatTensor and ATen, and the checks that every entry point shares.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "engine/engine.h"

namespace sda::engine {

// "[3, 1, 128, 94]"
std::string shape_text(at::IntArrayRef shape);

// Throws kArgument with detail "option" = name.
[[noreturn]] void bad_argument(const std::string& name, const std::string& message);

// A float32 CPU tensor over the caller's memory: valid for as long as `tensor` lives. Every extent
// must match `expected`, where -1 stands for any extent from 1 up; otherwise kArgument naming
// `what`.
at::Tensor view_of(const FloatTensor& tensor, at::IntArrayRef expected, const std::string& what);

// Row-major float32 on the CPU; shares the tensor's memory when it already is that.
FloatTensor to_float_tensor(const at::Tensor& tensor);

}  // namespace sda::engine
