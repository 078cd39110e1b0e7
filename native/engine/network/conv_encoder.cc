#include "engine/network/conv_encoder.h"

#include <algorithm>
#include <utility>

#include "engine/config.h"
#include "engine/threads/parallel.h"

namespace sda::engine {

ConvEncoder::ConvEncoder(const VaeShape& shape, const ConvStack& weights) : shape_(shape) {
  for (std::size_t i = 0; i < weights.convs.size(); ++i)
    layers_.push_back(
        make_conv_layer(weights.convs[i], &weights.conv_norms[i], /*transposed=*/false));
}

const float* ConvEncoder::encode(const float* picture, std::int64_t frames) const {
  const std::int64_t channels = shape_.channels();
  std::int64_t height = shape_.small_height << shape_.layers;
  std::int64_t width = halved(frames, shape_.layers) << shape_.layers;
  std::int64_t largest = channels * height * width;
  for (std::size_t i = 0; i < layers_.size(); ++i)
    largest = std::max(largest, (height * width >> (2 * i + 2)) * layers_[i].outputs);
  float* x = activations(0, largest);
  float* y = activations(1, largest);

  // Zeros at the high end of both axes; channels last.
  std::fill_n(x, channels * height * width, 0.0F);
  for (std::int64_t c = 0; c < channels; ++c)
    for (std::int64_t m = 0; m < shape_.n_mels; ++m)
      for (std::int64_t t = 0; t < frames; ++t)
        x[(m * width + t) * channels + c] = picture[(c * shape_.n_mels + m) * frames + t];
  for (const ConvLayer& layer : layers_) {
    parallel_for(height / 2, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row)
        kernels::conv_row(layer.kernel(), x, row, height, width, y);
    });
    std::swap(x, y);
    height /= 2;
    width /= 2;
  }
  return x;
}

}  // namespace sda::engine
