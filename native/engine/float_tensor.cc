#include "engine/float_tensor.h"

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

#include "checkpoint/error.h"
#include "checkpoint/memory_size.h"

namespace sda::engine {
namespace {

constexpr std::align_val_t kCacheLine{64};

}  // namespace

std::int64_t FloatTensor::numel() const noexcept {
  std::int64_t count = 1;
  for (std::int64_t extent : shape) count *= extent;
  return count;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
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

void check_shape(const FloatTensor& tensor, const std::vector<std::int64_t>& expected,
                 const std::string& what) {
  bool matches = tensor.shape.size() == expected.size() && tensor.data != nullptr;
  std::int64_t room = std::numeric_limits<std::int64_t>::max() / 8;
  for (std::size_t i = 0; matches && i < expected.size(); ++i) {
    const std::int64_t extent = tensor.shape[i];
    matches = extent >= 1 && (expected[i] < 0 || extent == expected[i]) && extent <= room;
    if (matches) room /= extent;
  }
  if (matches) return;
  throw Error(ErrorCode::kArgument, what + " has shape " + shape_text(tensor.shape) +
                                        ", expected " + shape_text(expected) +
                                        ", every extent at least 1")
      .with("option", what)
      .with("expected", shape_text(expected))
      .with("found", shape_text(tensor.shape));
}

std::shared_ptr<float[]> aligned_floats(std::int64_t count) {
  const auto bytes = memory_size(count * static_cast<std::int64_t>(sizeof(float)));
  return {static_cast<float*>(operator new[](bytes, kCacheLine)),
          [](float* data) { operator delete[](data, kCacheLine); }};
}

FloatTensor make_tensor(std::vector<std::int64_t> shape) {
  FloatTensor tensor;
  tensor.shape = std::move(shape);
  tensor.data = aligned_floats(tensor.numel());
  return tensor;
}

FloatTensor slice(const FloatTensor& tensor, std::int64_t first, std::int64_t count) {
  const std::int64_t item = tensor.numel() / tensor.shape[0];
  FloatTensor part;
  part.shape = tensor.shape;
  part.shape[0] = count;
  part.data = std::shared_ptr<float[]>(tensor.data, tensor.data.get() + first * item);
  return part;
}

FloatTensor reshaped(const FloatTensor& tensor, std::vector<std::int64_t> shape) {
  return {std::move(shape), tensor.data};
}

FloatTensor stack(const std::vector<std::vector<float>>& rows) {
  const auto length = static_cast<std::int64_t>(rows.front().size());
  FloatTensor tensor = make_tensor({static_cast<std::int64_t>(rows.size()), length});
  float* to = tensor.data.get();
  for (const std::vector<float>& row : rows) to = std::copy(row.begin(), row.end(), to);
  return tensor;
}

}  // namespace sda::engine
