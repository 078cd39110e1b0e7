// The convolutional VAEs for inference on the CPU: batch normalisation uses running statistics; no
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
  std::int64_t channels() const override { return shape_.channels(); }
  bool has_encoder() const override { return weights_.has_encoder; }
  std::string device() const override { return "cpu"; }
  std::int64_t byte_size() const override { return weights_.bytes; }
  FloatTensor decode(const FloatTensor& z, const CancelToken& cancel) const override;
  std::pair<FloatTensor, FloatTensor> encode(const FloatTensor& mel,
                                             const CancelToken& cancel) const override;

 private:
  std::int64_t pixels() const { return shape_.small_height * shape_.small_width; }
  void decode_item(const float* z, float* picture) const;
  void encode_item(const float* picture, float* mu, float* logvar) const;

  VaeShape shape_;
  VaeWeights weights_;
  // Made by the first decode or encode: rearranging the weights takes longer than loading them.
  mutable std::once_flag decoder_made_, encoder_made_;
  mutable std::optional<ConvDecoder> decoder_;
  mutable std::optional<ConvEncoder> encoder_;
};

// The log-variances that the encoders of all networks but kSigmoid give are limited to ± this.
inline constexpr float kLogvarLimit = 20.0F;

// Throws kSchema: the model has only a decoder.
void check_encoder(const VaeWeights& weights);

}  // namespace sda::engine
