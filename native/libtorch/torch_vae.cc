#include "libtorch/torch_vae.h"

#include <ATen/ops/batch_norm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/conv_transpose2d.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/softplus.h>
#include <c10/core/InferenceMode.h>

#include <memory>
#include <utility>
#include <vector>

#include "engine/network/conv_vae.h"
#include "libtorch/tensors.h"
#include "libtorch/threads.h"

namespace sda::libtorch {
namespace {

using engine::Affine;
using engine::BatchNorm;
using engine::Parameter;

constexpr double kBatchNormEpsilon = 1e-5;  // BatchNorm2d's default

// Copies every parameter to the device.
void upload(engine::VaeWeights& weights, c10::Device device) {
  std::vector<std::shared_ptr<const void>> owners;
  const auto move = [&](Parameter& parameter) {
    if (parameter.data == nullptr) return;
    // The copy from pinned memory runs while the next parameter is prepared.
    at::Tensor copy = at::from_blob(const_cast<float*>(parameter.data), {parameter.numel},
                                    at::TensorOptions(at::kFloat))
                          .pin_memory()
                          .to(device, /*non_blocking=*/true);
    parameter.data = copy.data_ptr<float>();
    owners.push_back(std::make_shared<const at::Tensor>(std::move(copy)));
  };
  engine::for_each_parameter(weights, move);
  weights.owners = std::move(owners);
}

}  // namespace

TorchVae::TorchVae(const engine::VaeShape& shape, engine::VaeWeights weights, c10::Device device)
    : shape_(shape), weights_(std::move(weights)), device_(device) {
  const c10::InferenceMode guard;
  if (!device.is_cpu()) upload(weights_, device);
}

at::Tensor TorchVae::tensor(const Parameter& parameter, at::IntArrayRef shape) const {
  return at::from_blob(const_cast<float*>(parameter.data), shape,
                       at::TensorOptions(at::kFloat).device(device_));
}

at::Tensor TorchVae::normalise(const at::Tensor& x, const BatchNorm& norm) const {
  const auto vector = [&](const Parameter& parameter) {
    return tensor(parameter, {parameter.numel});
  };
  return at::batch_norm(x, vector(norm.weight), vector(norm.bias), vector(norm.running_mean),
                        vector(norm.running_var), /*training=*/false, /*momentum=*/0.0,
                        kBatchNormEpsilon, /*cudnn_enabled=*/true);
}

at::Tensor TorchVae::apply_linear(const at::Tensor& x, const Affine& layer) const {
  const std::int64_t outputs = layer.bias.numel;
  return at::linear(x, tensor(layer.weight, {outputs, layer.weight.numel / outputs}),
                    tensor(layer.bias, {outputs}));
}

at::Tensor TorchVae::activate(at::Tensor x) const {
  switch (shape_.network) {
    case engine::Network::kSigmoid:
      return x.sigmoid_();
    case engine::Network::kSoftplus:
      return at::softplus(x);
    case engine::Network::kComplex:
      return at::cat({at::softplus(x.narrow(1, 0, 1)), x.narrow(1, 1, 1).tanh()}, 1);
  }
  return x;
}

void TorchVae::decode(const float* z, std::int64_t items, float* mel,
                      const CancelToken& cancel) const {
  const c10::InferenceMode guard;
  prepare_thread();
  at::Tensor x = apply_linear(view_of(z, {items, shape_.latent_dim}).to(device_), weights_.fc)
                     .view({items, shape_.layer_channels(shape_.layers), shape_.small_height,
                            shape_.small_width});
  for (std::size_t i = 0; i < weights_.deconvs.size(); ++i) {
    cancel.throw_if_cancelled();
    const Affine& layer = weights_.deconvs[i];
    x = at::conv_transpose2d(x, tensor(layer.weight, {x.size(1), layer.bias.numel, 3, 3}),
                             tensor(layer.bias, {layer.bias.numel}),
                             /*stride=*/{2, 2}, /*padding=*/{1, 1}, /*output_padding=*/{1, 1});
    if (i < weights_.deconv_norms.size()) x = normalise(x, weights_.deconv_norms[i]).relu_();
  }
  copy_to(mel, activate(x).narrow(2, 0, shape_.n_mels).narrow(3, 0, shape_.frames));
}

void TorchVae::encode(const float* mel, std::int64_t items, float* mu, float* logvar,
                      const CancelToken& cancel) const {
  const c10::InferenceMode guard;
  prepare_thread();
  at::Tensor x = at::constant_pad_nd(
      view_of(mel, {items, shape_.channels(), shape_.n_mels, shape_.frames}).to(device_),
      {0, (shape_.small_width << shape_.layers) - shape_.frames, 0,
       (shape_.small_height << shape_.layers) - shape_.n_mels});
  for (std::size_t i = 0; i < weights_.convs.size(); ++i) {
    cancel.throw_if_cancelled();
    const Affine& layer = weights_.convs[i];
    x = at::conv2d(x, tensor(layer.weight, {layer.bias.numel, x.size(1), 3, 3}),
                   tensor(layer.bias, {layer.bias.numel}), /*stride=*/{2, 2},
                   /*padding=*/{1, 1});
    x = normalise(x, weights_.conv_norms[i]).relu_();
  }
  x = x.flatten(1);
  copy_to(mu, apply_linear(x, weights_.fc_mu));
  at::Tensor variance = apply_linear(x, weights_.fc_logvar);
  if (shape_.network != engine::Network::kSigmoid)
    variance.clamp_(-engine::kLogvarLimit, engine::kLogvarLimit);
  copy_to(logvar, variance);
}

}  // namespace sda::libtorch
