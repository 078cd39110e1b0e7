// The convolutional VAE for inference on the CPU: batch normalisation uses running statistics; no
// dropout.
#pragma once

#include <mutex>
#include <optional>

#include "engine/engine.h"
#include "engine/network/conv_decoder.h"
#include "engine/network/conv_encoder.h"
#include "engine/network/vae_weights.h"

namespace sda::engine {

class ConvVae final : public Model {
 public:
  ConvVae(const VaeShape& shape, VaeWeights weights);

  std::int64_t latent_dim() const override { return shape_.latent_dim; }
  bool has_encoder() const override { return weights_.has_encoder; }
  std::string device() const override { return "cpu"; }
  std::int64_t byte_size() const override { return weights_.bytes; }
  FloatTensor decode(const FloatTensor& z, const CancelToken& cancel) const override;
  std::pair<FloatTensor, FloatTensor> encode(const FloatTensor& mel,
                                             const CancelToken& cancel) const override;

 private:
  VaeShape shape_;
  VaeWeights weights_;
  // Made by the first decode or encode: rearranging the weights takes longer than loading them.
  mutable std::once_flag decoder_made_, encoder_made_;
  mutable std::optional<ConvDecoder> decoder_;
  mutable std::optional<ConvEncoder> encoder_;
};

// Throws kSchema: the model has only a decoder.
void check_encoder(const VaeWeights& weights);

}  // namespace sda::engine
