// The convolutional VAE for inference: batch normalisation uses running statistics; no dropout.
#pragma once

#include <mutex>
#include <optional>

#include "engine/engine.h"
#include "engine/network/conv_decoder.h"
#include "engine/network/vae_weights.h"

namespace sda::engine {

class ConvVae final : public Model {
 public:
  ConvVae(const StateDict& state, std::int64_t latent_dim, const SpectrogramConfig& config,
          at::Device device);

  std::int64_t latent_dim() const override { return shape_.latent_dim; }
  bool has_encoder() const override { return weights_.has_encoder; }
  std::string device() const override { return device_.str(); }
  std::int64_t byte_size() const override { return weights_.bytes; }
  FloatTensor decode(const FloatTensor& z, const CancelToken& cancel) const override;
  std::pair<FloatTensor, FloatTensor> encode(const FloatTensor& mel,
                                             const CancelToken& cancel) const override;

  // [B, latent_dim], on the CPU → [B, n_mels, frames], on the weights' device.
  at::Tensor decode(const at::Tensor& z, const CancelToken& cancel) const;

  // The same by ATen's operators, with the result as [B, 1, n_mels, frames]. `z` must be on the
  // weights' device.
  at::Tensor decode_aten(const at::Tensor& z, const CancelToken& cancel) const;

 private:
  VaeShape shape_;
  at::Device device_;
  VaeWeights weights_;
  // Made by the first decode: rearranging the weights takes longer than loading them.
  mutable std::once_flag decoder_made_;
  mutable std::optional<ConvDecoder> decoder_;
};

}  // namespace sda::engine
