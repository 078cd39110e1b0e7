// The ConvVAE's decoder on the CPU, with the project's own kernels: the same bits on every
// processor and with any number of threads, and no operator dispatch between layers.
#pragma once

#include <array>
#include <cstdint>

#include "checkpoint/cancel.h"
#include "engine/network/conv_layer.h"
#include "engine/network/vae_weights.h"

namespace sda::engine {

// Immutable: any number of threads may decode at once. Refers to the fully connected layer's
// weights, which must outlive it. Copies the other weights in another order.
class ConvDecoder {
 public:
  ConvDecoder(const VaeShape& shape, const VaeWeights& weights);

  // z: [items, latent_dim] → mel: [items, n_mels, frames].
  void decode(const float* z, std::int64_t items, float* mel, const CancelToken& cancel) const;

 private:
  void decode_item(const float* z, float* mel) const;
  void project(const float* z, float* x) const;
  // x: [height, width, inputs] → y: [2 height, 2 width, outputs], rectified.
  static void widen(const ConvLayer& layer, const float* x, std::int64_t height, std::int64_t width,
                    float* y);
  // The last layer, which has one channel; then the sigmoid, cropped to the mel's size.
  void finish(const float* x, float* mel) const;

  VaeShape shape_;
  const float* fc_weight_;
  const float* fc_bias_;
  std::array<ConvLayer, 4> layers_;
};

}  // namespace sda::engine
