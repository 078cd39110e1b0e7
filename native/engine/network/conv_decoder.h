// The decoder's convolutions on the CPU, with the project's own kernels: the same bits on every
// processor and with any number of threads, and no operator dispatch between layers.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/network/conv_layer.h"
#include "engine/network/vae_weights.h"

namespace sda::engine {

// Immutable: any number of threads may decode at once. Copies the weights in another order.
class ConvDecoder {
 public:
  ConvDecoder(const VaeShape& shape, const ConvStack& weights);

  // x: [small_height, small_width, layer_channels(layers)], in activations(0, buffer_size(width))
  // → picture: [channels, n_mels, frames]. small_width need not be the shape's.
  void decode(float* x, std::int64_t small_width, std::int64_t frames, float* picture) const;

  // Floats that decode() needs in each of the thread's buffers.
  std::int64_t buffer_size(std::int64_t small_width) const;

 private:
  // x: [height, width, inputs] → y: [2 height, 2 width, outputs], rectified.
  static void widen(const ConvLayer& layer, const float* x, std::int64_t height, std::int64_t width,
                    float* y);
  // The last layer and the activation, cropped to the picture's size.
  void finish(const float* x, std::int64_t small_width, std::int64_t frames, float* picture) const;
  void activate(std::int64_t channel, const float* x, float* out, std::int64_t count) const;

  VaeShape shape_;
  std::vector<ConvLayer> layers_;              // all but the last
  std::vector<std::vector<float>> last_taps_;  // [3, 3, inputs] of each output channel
  std::vector<float> last_bias_;
};

}  // namespace sda::engine
