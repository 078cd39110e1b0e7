#include "libtorch/tensors.h"

#include <ATen/ops/from_blob.h>

#include <utility>

namespace sda::libtorch {

at::Tensor view_of(const engine::FloatTensor& tensor) {
  return at::from_blob(tensor.data.get(), tensor.shape, at::TensorOptions().dtype(at::kFloat));
}

engine::FloatTensor to_float_tensor(const at::Tensor& tensor) {
  at::Tensor plain = tensor.to(at::kCPU, at::kFloat).contiguous();
  engine::FloatTensor result;
  result.shape = plain.sizes().vec();
  float* data = plain.data_ptr<float>();
  // The deleter holds the tensor, which owns the memory.
  result.data = std::shared_ptr<float[]>(data, [plain = std::move(plain)](float*) {});
  return result;
}

}  // namespace sda::libtorch
