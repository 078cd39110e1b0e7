#include "libtorch/tensors.h"

#include <ATen/ops/from_blob.h>

namespace sda::libtorch {

at::Tensor view_of(const float* data, at::IntArrayRef shape) {
  return at::from_blob(const_cast<float*>(data), shape, at::TensorOptions(at::kFloat));
}

void copy_to(float* memory, const at::Tensor& tensor) {
  at::from_blob(memory, tensor.sizes(), at::TensorOptions(at::kFloat)).copy_(tensor);
}

}  // namespace sda::libtorch
