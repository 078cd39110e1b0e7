#include "engine/tensors.h"

#include <ATen/ops/from_blob.h>

#include <limits>
#include <utility>

namespace sda::engine {

std::int64_t FloatTensor::numel() const noexcept {
  std::int64_t count = 1;
  for (std::int64_t extent : shape) count *= extent;
  return count;
}

std::string shape_text(at::IntArrayRef shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += shape[i] < 0 ? std::string("any") : std::to_string(shape[i]);
  }
  return text + "]";
}

void bad_argument(const std::string& name, const std::string& message) {
  throw Error(ErrorCode::kArgument, message).with("option", name);
}

at::Tensor view_of(const FloatTensor& tensor, at::IntArrayRef expected, const std::string& what) {
  bool matches = tensor.shape.size() == expected.size() && tensor.data != nullptr;
  std::int64_t room = std::numeric_limits<std::int64_t>::max() / 8;
  for (std::size_t i = 0; matches && i < expected.size(); ++i) {
    const std::int64_t extent = tensor.shape[i];
    matches = extent >= 1 && (expected[i] < 0 || extent == expected[i]) && extent <= room;
    if (matches) room /= extent;
  }
  if (!matches) {
    throw Error(ErrorCode::kArgument, what + " has shape " + shape_text(tensor.shape) +
                                          ", expected " + shape_text(expected) +
                                          ", every extent at least 1")
        .with("option", what)
        .with("expected", shape_text(expected))
        .with("found", shape_text(tensor.shape));
  }
  return at::from_blob(tensor.data.get(), tensor.shape, at::TensorOptions().dtype(at::kFloat));
}

FloatTensor to_float_tensor(const at::Tensor& tensor) {
  at::Tensor plain = tensor.to(at::kCPU, at::kFloat).contiguous();
  FloatTensor result;
  result.shape = plain.sizes().vec();
  float* data = plain.data_ptr<float>();
  // The deleter holds the tensor, which owns the memory.
  result.data = std::shared_ptr<float[]>(data, [plain = std::move(plain)](float*) {});
  return result;
}

}  // namespace sda::engine
