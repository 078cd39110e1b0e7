// The ConvVAE's encoder on the CPU, with the project's own kernels; see conv_decoder.h.
#pragma once

#include <array>
#include <cstdint>

#include "checkpoint/cancel.h"
#include "engine/network/conv_layer.h"
#include "engine/network/vae_weights.h"

namespace sda::engine {

// Immutable: any number of threads may encode at once. Refers to the fully connected layers'
// weights, which must outlive it. Copies the other weights in another order.
class ConvEncoder {
 public:
  ConvEncoder(const VaeShape& shape, const VaeWeights& weights);

  // mel: [items, n_mels, frames] → mu and logvar, each [items, latent_dim].
  void encode(const float* mel, std::int64_t items, float* mu, float* logvar,
              const CancelToken& cancel) const;

 private:
  void encode_item(const float* mel, float* mu, float* logvar) const;

  VaeShape shape_;
  Affine fc_mu_, fc_logvar_;
  std::array<ConvLayer, 4> layers_;
};

}  // namespace sda::engine
