#include "engine/vae_weights.h"

#include <ATen/ops/from_blob.h>
#include <c10/core/InferenceMode.h>

#include <string_view>
#include <unordered_map>

#include "engine/config.h"
#include "engine/tensors.h"

namespace sda::engine {
namespace {

constexpr std::array<std::int64_t, 5> kEncoderChannels = {1, 32, 64, 128, 256};
constexpr std::array<std::int64_t, 5> kDecoderChannels = {256, 128, 64, 32, 1};

[[noreturn]] void refuse(std::string_view name, const std::string& why) {
  throw Error(ErrorCode::kSchema, "tensor " + std::string(name) + ": " + why)
      .with("tensor", std::string(name));
}

at::ScalarType float_type(DType dtype) {
  switch (dtype) {
    case DType::kFloat16:
      return at::kHalf;
    case DType::kBFloat16:
      return at::kBFloat16;
    case DType::kFloat32:
      return at::kFloat;
    case DType::kFloat64:
      return at::kDouble;
    default:
      return at::ScalarType::Undefined;
  }
}

class Collector {
 public:
  Collector(const StateDict& state, at::Device device, VaeWeights& weights)
      : device_(device), weights_(weights) {
    remaining_.reserve(state.size());
    for (const NamedTensor& tensor : state) {
      if (!remaining_.emplace(tensor.name, &tensor).second) refuse(tensor.name, "appears twice");
    }
  }

  bool has(std::string_view name) const { return remaining_.contains(name); }

  // Whether absent tensors are passed over from here on.
  void set_lenient(bool lenient) { lenient_ = lenient; }

  void affine(const std::string& prefix, at::IntArrayRef shape, std::int64_t outputs,
              Affine& target) {
    target.weight = take(prefix + ".weight", shape);
    target.bias = take(prefix + ".bias", {outputs});
  }

  void norm(const std::string& prefix, std::int64_t channels, BatchNorm& target) {
    target.weight = take(prefix + ".weight", {channels});
    target.bias = take(prefix + ".bias", {channels});
    target.running_mean = take(prefix + ".running_mean", {channels});
    target.running_var = take(prefix + ".running_var", {channels});
    take_counter(prefix + ".num_batches_tracked");
  }

  void finish() const {
    if (!remaining_.empty()) refuse(remaining_.begin()->first, "is not part of a ConvVAE");
  }

 private:
  const NamedTensor* find(const std::string& name, at::IntArrayRef shape) {
    const auto found = remaining_.find(name);
    if (found == remaining_.end()) {
      if (lenient_) return nullptr;
      refuse(name, "is missing, expected with shape " + shape_text(shape));
    }
    const NamedTensor* tensor = found->second;
    remaining_.erase(found);
    if (at::IntArrayRef(tensor->shape) != shape) {
      refuse(name, "has shape " + shape_text(tensor->shape) + ", expected " + shape_text(shape));
    }
    return tensor;
  }

  at::Tensor take(const std::string& name, at::IntArrayRef shape) {
    const NamedTensor* source = find(name, shape);
    if (source == nullptr) return {};
    const at::ScalarType type = float_type(source->dtype);
    if (type == at::ScalarType::Undefined) {
      refuse(name, "has element type " + std::string(dtype_name(source->dtype)) +
                       ", expected float16, bfloat16, float32 or float64");
    }
    const at::Tensor view = at::for_blob(source->data, source->shape)
                                .strides(source->strides)
                                .options(type)
                                .make_tensor();
    const bool as_it_is = type == at::kFloat && view.is_contiguous();  // a dispatch costs a load
    at::Tensor tensor = as_it_is ? view : view.to(at::kFloat).contiguous();
    if (!device_.is_cpu()) {
      // The copy from pinned memory overlaps with reading the next tensor.
      tensor = tensor.pin_memory().to(device_, /*non_blocking=*/true);
    } else if (tensor.is_same(view)) {
      keep(source->owner);
    }
    weights_.bytes += tensor.numel() * static_cast<std::int64_t>(sizeof(float));
    return tensor;
  }

  // Counts training steps; of no use here, but its absence tells of a file that isn't one of ours.
  void take_counter(const std::string& name) {
    const NamedTensor* source = find(name, {});
    if (source != nullptr && source->dtype != DType::kInt64) {
      refuse(name,
             "has element type " + std::string(dtype_name(source->dtype)) + ", expected int64");
    }
  }

  void keep(const std::shared_ptr<const void>& owner) {
    // Neighbours usually lie in the same mapping or buffer.
    if (weights_.owners.empty() || weights_.owners.back() != owner) {
      weights_.owners.push_back(owner);
    }
  }

  std::unordered_map<std::string_view, const NamedTensor*> remaining_;
  at::Device device_;
  VaeWeights& weights_;
  bool lenient_ = false;
};

}  // namespace

VaeShape::VaeShape(std::int64_t latent_size, const SpectrogramConfig& config)
    : latent_dim(latent_size),
      n_mels(config.n_mels),
      frames(model_frames(config)),
      small_height(padded_to_16(n_mels) / 16),
      small_width(padded_to_16(frames) / 16) {}

VaeWeights collect_weights(const StateDict& state, const VaeShape& shape, at::Device device) {
  const c10::InferenceMode guard;
  VaeWeights weights;
  Collector collect(state, device, weights);

  weights.has_encoder = collect.has("encoder.fc_mu.weight");
  // The Python program strips a decoder-only file of its encoder's head, and leaves the rest or
  // not.
  collect.set_lenient(!weights.has_encoder);
  for (std::size_t i = 0; i < weights.convs.size(); ++i) {
    const std::int64_t inputs = kEncoderChannels[i];
    const std::int64_t outputs = kEncoderChannels[i + 1];
    const std::string prefix = "encoder.convs.";
    collect.affine(prefix + std::to_string(4 * i), {outputs, inputs, 3, 3}, outputs,
                   weights.convs[i]);
    collect.norm(prefix + std::to_string(4 * i + 1), outputs, weights.conv_norms[i]);
  }
  collect.affine("encoder.fc_mu", {shape.latent_dim, shape.features()}, shape.latent_dim,
                 weights.fc_mu);
  collect.affine("encoder.fc_logvar", {shape.latent_dim, shape.features()}, shape.latent_dim,
                 weights.fc_logvar);

  collect.set_lenient(false);
  collect.affine("decoder.fc", {shape.features(), shape.latent_dim}, shape.features(), weights.fc);
  for (std::size_t i = 0; i < weights.deconvs.size(); ++i) {
    const std::int64_t inputs = kDecoderChannels[i];
    const std::int64_t outputs = kDecoderChannels[i + 1];
    const std::string prefix = "decoder.deconvs.";
    collect.affine(prefix + std::to_string(4 * i), {inputs, outputs, 3, 3}, outputs,
                   weights.deconvs[i]);
    if (i < weights.deconv_norms.size()) {
      collect.norm(prefix + std::to_string(4 * i + 1), outputs, weights.deconv_norms[i]);
    }
  }
  collect.finish();
  return weights;
}

}  // namespace sda::engine
