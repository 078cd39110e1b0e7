#include "engine/network/conv_vae.h"

#include <ATen/ops/batch_norm.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/conv_transpose2d.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <c10/core/InferenceMode.h>

#include "engine/tensors.h"

namespace sda::engine {
namespace {

constexpr double kBatchNormEpsilon = 1e-5;  // BatchNorm2d's default

at::Tensor normalise(const at::Tensor& x, const VaeWeights& weights, const BatchNorm& norm) {
  const auto vector = [&](const Parameter& parameter) {
    return weights.tensor(parameter, {parameter.numel});
  };
  return at::batch_norm(x, vector(norm.weight), vector(norm.bias), vector(norm.running_mean),
                        vector(norm.running_var), /*training=*/false, /*momentum=*/0.0,
                        kBatchNormEpsilon, /*cudnn_enabled=*/true);
}

at::Tensor apply_linear(const at::Tensor& x, const VaeWeights& weights, const Affine& layer) {
  const std::int64_t outputs = layer.bias.numel;
  return at::linear(x, weights.tensor(layer.weight, {outputs, layer.weight.numel / outputs}),
                    weights.tensor(layer.bias, {outputs}));
}

}  // namespace

ConvVae::ConvVae(const StateDict& state, std::int64_t latent_dim, const SpectrogramConfig& config,
                 at::Device device)
    : shape_(latent_dim, config),
      device_(device),
      weights_(collect_weights(state, shape_, device)) {}

FloatTensor ConvVae::decode(const FloatTensor& z, const CancelToken& cancel) const {
  const c10::InferenceMode guard;
  const at::Tensor latents = view_of(z, {-1, shape_.latent_dim}, "z").contiguous();
  return to_float_tensor(decode(latents, cancel).unsqueeze(1));
}

at::Tensor ConvVae::decode(const at::Tensor& z, const CancelToken& cancel) const {
  if (!device_.is_cpu()) return decode_aten(z.to(device_), cancel).squeeze(1);
  std::call_once(decoder_made_, [this] { decoder_.emplace(shape_, weights_); });
  at::Tensor mel = at::empty({z.size(0), shape_.n_mels, shape_.frames}, at::kFloat);
  decoder_->decode(z.const_data_ptr<float>(), z.size(0), mel.data_ptr<float>(), cancel);
  return mel;
}

at::Tensor ConvVae::decode_aten(const at::Tensor& z, const CancelToken& cancel) const {
  at::Tensor x = apply_linear(z, weights_, weights_.fc)
                     .view({z.size(0), 256, shape_.small_height, shape_.small_width});
  for (std::size_t i = 0; i < weights_.deconvs.size(); ++i) {
    cancel.throw_if_cancelled();
    const Affine& layer = weights_.deconvs[i];
    x = at::conv_transpose2d(x, weights_.tensor(layer.weight, {x.size(1), layer.bias.numel, 3, 3}),
                             weights_.tensor(layer.bias, {layer.bias.numel}),
                             /*stride=*/{2, 2}, /*padding=*/{1, 1}, /*output_padding=*/{1, 1});
    if (i < weights_.deconv_norms.size())
      x = normalise(x, weights_, weights_.deconv_norms[i]).relu_();
  }
  return x.sigmoid_().narrow(2, 0, shape_.n_mels).narrow(3, 0, shape_.frames);
}

std::pair<FloatTensor, FloatTensor> ConvVae::encode(const FloatTensor& mel,
                                                    const CancelToken& cancel) const {
  if (!weights_.has_encoder) {
    throw Error(ErrorCode::kSchema,
                "this model holds only a decoder (no encoder.fc_mu.weight): it can generate, "
                "not encode")
        .with("tensor", "encoder.fc_mu.weight");
  }
  c10::InferenceMode guard;
  const at::Tensor input = view_of(mel, {-1, 1, shape_.n_mels, shape_.frames}, "mel").to(device_);
  at::Tensor x = at::constant_pad_nd(input, {0, 16 * shape_.small_width - shape_.frames, 0,
                                             16 * shape_.small_height - shape_.n_mels});
  for (std::size_t i = 0; i < weights_.convs.size(); ++i) {
    cancel.throw_if_cancelled();
    const Affine& layer = weights_.convs[i];
    x = at::conv2d(x, weights_.tensor(layer.weight, {layer.bias.numel, x.size(1), 3, 3}),
                   weights_.tensor(layer.bias, {layer.bias.numel}), /*stride=*/{2, 2},
                   /*padding=*/{1, 1});
    x = normalise(x, weights_, weights_.conv_norms[i]).relu_();
  }
  x = x.flatten(1);
  return {to_float_tensor(apply_linear(x, weights_, weights_.fc_mu)),
          to_float_tensor(apply_linear(x, weights_, weights_.fc_logvar))};
}

}  // namespace sda::engine
