// The encoder's convolutions on the CPU, with the project's own kernels; see conv_decoder.h.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/network/conv_layer.h"
#include "engine/network/vae_weights.h"

namespace sda::engine {

// Immutable: any number of threads may encode at once. Copies the weights in another order.
class ConvEncoder {
 public:
  ConvEncoder(const VaeShape& shape, const ConvStack& weights);

  // picture: [channels, n_mels, frames] → [small_height, halved(frames), layer_channels(layers)],
  // in one of this thread's activations. `frames` need not be the shape's.
  const float* encode(const float* picture, std::int64_t frames) const;

 private:
  VaeShape shape_;
  std::vector<ConvLayer> layers_;
};

}  // namespace sda::engine
