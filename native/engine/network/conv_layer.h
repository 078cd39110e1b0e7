// What the encoder and the decoder of the ConvVAE share.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/network/conv_kernels.h"
#include "engine/network/vae_weights.h"

namespace sda::engine {

// A 3×3 convolution and the batch normalisation after it, with its weights in the kernels' order.
struct ConvLayer {
  std::int64_t inputs = 0, outputs = 0;
  std::vector<float> taps;                // [3, 3, inputs, outputs]
  std::vector<float> bias, scale, shift;  // one per output; without normalisation only the bias

  kernels::Conv kernel() const {
    return {taps.data(), bias.data(), scale.data(), shift.data(), inputs, outputs};
  }
};

// From weights [outputs, inputs, 3, 3], as of a convolution, or [inputs, outputs, 3, 3], as of a
// transposed one. `norm` may be null.
ConvLayer make_conv_layer(const Affine& affine, const BatchNorm* norm, bool transposed);

// Buffer 0 or 1 of this thread, kept from one call to the next, of at least this size.
float* activations(std::size_t which, std::int64_t floats);

}  // namespace sda::engine
