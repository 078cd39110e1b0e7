#include "engine/network/weight_collector.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "checkpoint/error.h"
#include "checkpoint/tensor/half.h"
#include "checkpoint/tensor/strided.h"
#include "engine/float_tensor.h"

namespace sda::engine {
namespace {

bool is_float(DType dtype) {
  return dtype == DType::kFloat16 || dtype == DType::kBFloat16 || dtype == DType::kFloat32 ||
         dtype == DType::kFloat64;
}

bool is_row_major(const NamedTensor& tensor) {
  std::int64_t expected = 1;
  for (std::size_t i = tensor.shape.size(); i-- > 0; expected *= tensor.shape[i])
    if (tensor.shape[i] != 1 && tensor.strides[i] != expected) return false;
  return true;
}

// Row-major elements of any float type → float32
template <typename T, typename Convert>
void convert(const std::byte* from, float* to, std::int64_t count, const Convert& to_float) {
  const auto* const values = reinterpret_cast<const T*>(from);
  for (std::int64_t i = 0; i < count; ++i) to[i] = to_float(values[i]);
}

std::shared_ptr<const float[]> converted(const NamedTensor& tensor, std::int64_t count) {
  std::vector<std::byte> plain;
  const std::byte* from = tensor.data;
  if (!is_row_major(tensor)) {
    const std::size_t size = item_size(tensor.dtype);
    plain.resize(static_cast<std::size_t>(count) * size);
    copy_strided(plain.data(), tensor.data, tensor.shape, tensor.strides, size);
    from = plain.data();
  }
  std::shared_ptr<float[]> result(new float[static_cast<std::size_t>(count)]);
  float* const to = result.get();
  switch (tensor.dtype) {
    case DType::kFloat16:
      convert<std::uint16_t>(from, to, count,
                             [](std::uint16_t bits) { return half_to_float(bits); });
      break;
    case DType::kBFloat16:
      convert<std::uint16_t>(from, to, count, [](std::uint16_t bits) {
        return std::bit_cast<float>(std::uint32_t{bits} << 16);
      });
      break;
    case DType::kFloat64:
      convert<double>(from, to, count, [](double value) { return static_cast<float>(value); });
      break;
    default:
      convert<float>(from, to, count, [](float value) { return value; });
  }
  return result;
}

}  // namespace

WeightCollector::WeightCollector(const StateDict& state, std::string what, std::string prefix,
                                 Memory& memory)
    : state_(state),
      what_(std::move(what)),
      prefix_(std::move(prefix)),
      taken_(state.size(), false),
      memory_(memory) {}

void WeightCollector::refuse(std::string_view name, const std::string& why) const {
  const std::string whole = prefix_ + std::string(name);
  throw Error(ErrorCode::kSchema, "tensor " + whole + ": " + why).with("tensor", whole);
}

const WeightCollector::Shape* WeightCollector::shape_of(std::string_view name) const {
  const auto found = std::find_if(state_.begin(), state_.end(),
                                  [&](const NamedTensor& tensor) { return tensor.name == name; });
  return found == state_.end() ? nullptr : &found->shape;
}

bool WeightCollector::has(std::string_view name) const { return shape_of(name) != nullptr; }

void WeightCollector::affine(const std::string& prefix, const Shape& shape, std::int64_t outputs,
                             Affine& target) {
  target.weight = take(prefix + ".weight", shape);
  target.bias = take(prefix + ".bias", {outputs});
}

void WeightCollector::norm(const std::string& prefix, std::int64_t channels, BatchNorm& target) {
  target.weight = take(prefix + ".weight", {channels});
  target.bias = take(prefix + ".bias", {channels});
  target.running_mean = take(prefix + ".running_mean", {channels});
  target.running_var = take(prefix + ".running_var", {channels});
  take_counter(prefix + ".num_batches_tracked");
}

void WeightCollector::skip(const std::string& name, const Shape& shape) { find(name, shape); }

void WeightCollector::finish() const {
  for (std::size_t i = 0; i < state_.size(); ++i) {
    if (taken_[i]) continue;
    const auto first = std::find_if(state_.begin(), state_.end(), [&](const NamedTensor& tensor) {
      return tensor.name == state_[i].name;
    });
    refuse(state_[i].name, &*first == &state_[i] ? "is not part of " + what_ : "appears twice");
  }
}

const NamedTensor* WeightCollector::find(const std::string& name, const Shape& shape) {
  // Files usually store the tensors in this order, so the first comparison usually succeeds.
  for (std::size_t looked = 0; looked < state_.size(); ++looked) {
    const std::size_t i = next_;
    next_ = next_ + 1 == state_.size() ? 0 : next_ + 1;
    if (taken_[i] || state_[i].name != name) continue;
    taken_[i] = true;
    if (state_[i].shape != shape)
      refuse(name, "has shape " + shape_text(state_[i].shape) + ", expected " + shape_text(shape));
    return &state_[i];
  }
  if (lenient_) return nullptr;
  refuse(name, "is missing, expected with shape " + shape_text(shape));
}

Parameter WeightCollector::take(const std::string& name, const Shape& shape) {
  const NamedTensor* source = find(name, shape);
  if (source == nullptr) return {};
  if (!is_float(source->dtype)) {
    refuse(name, "has element type " + std::string(dtype_name(source->dtype)) +
                     ", expected float16, bfloat16, float32 or float64");
  }
  Parameter parameter;
  parameter.numel = 1;
  for (const std::int64_t extent : shape) parameter.numel *= extent;
  memory_.bytes += parameter.numel * static_cast<std::int64_t>(sizeof(float));
  if (source->dtype == DType::kFloat32 && is_row_major(*source)) {
    parameter.data = reinterpret_cast<const float*>(source->data);
    keep(source->owner);
  } else {
    auto memory = converted(*source, parameter.numel);
    parameter.data = memory.get();
    keep(std::move(memory));
  }
  return parameter;
}

// A counter of training steps. Inference does not use it, but a file without it is not of the
// program.
void WeightCollector::take_counter(const std::string& name) {
  const NamedTensor* source = find(name, {});
  if (source != nullptr && source->dtype != DType::kInt64) {
    refuse(name, "has element type " + std::string(dtype_name(source->dtype)) + ", expected int64");
  }
}

void WeightCollector::keep(std::shared_ptr<const void> owner) {
  // Tensors that follow each other usually share one mapping or buffer.
  if (memory_.owners.empty() || memory_.owners.back() != owner)
    memory_.owners.push_back(std::move(owner));
}

}  // namespace sda::engine
