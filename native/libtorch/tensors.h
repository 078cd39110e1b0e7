// Conversions between row-major float32 in memory and ATen.
#pragma once

#include <ATen/core/Tensor.h>

namespace sda::libtorch {

// A float32 CPU tensor on this memory, valid as long as that lives.
at::Tensor view_of(const float* data, at::IntArrayRef shape);

// Copies a tensor of any device to memory of the same shape. Returns when the copy is complete.
void copy_to(float* memory, const at::Tensor& tensor);

}  // namespace sda::libtorch
