// Conversions between the engine's FloatTensor and ATen.
#pragma once

#include <ATen/core/Tensor.h>

#include "engine/engine.h"

namespace sda::libtorch {

// A float32 CPU tensor on the memory of `tensor`, valid as long as that lives.
at::Tensor view_of(const engine::FloatTensor& tensor);

// Row-major float32 on the CPU. Shares the tensor's memory if it already has that form; copies
// otherwise.
engine::FloatTensor to_float_tensor(const at::Tensor& tensor);

}  // namespace sda::libtorch
