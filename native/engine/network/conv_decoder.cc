#include "engine/network/conv_decoder.h"

#include <algorithm>
#include <utility>

#include "engine/kernels.h"
#include "engine/network/conv_kernels.h"
#include "engine/threads/parallel.h"

namespace sda::engine {

ConvDecoder::ConvDecoder(const VaeShape& shape, const ConvStack& weights) : shape_(shape) {
  for (std::size_t i = 0; i < weights.deconv_norms.size(); ++i)
    layers_.push_back(
        make_conv_layer(weights.deconvs[i], &weights.deconv_norms[i], /*transposed=*/true));
  const ConvLayer last = make_conv_layer(weights.deconvs.back(), nullptr, /*transposed=*/true);
  last_bias_ = last.bias;
  for (std::int64_t out = 0; out < last.outputs; ++out) {
    std::vector<float>& taps = last_taps_.emplace_back();
    for (std::int64_t i = 0; i < 9 * last.inputs; ++i)
      taps.push_back(last.taps[static_cast<std::size_t>(i * last.outputs + out)]);
  }
}

std::int64_t ConvDecoder::buffer_size(std::int64_t small_width) const {
  const std::int64_t pixels = shape_.small_height * small_width;
  std::int64_t largest = shape_.layer_channels(shape_.layers) * pixels;
  for (std::size_t i = 0; i < layers_.size(); ++i)
    largest = std::max(largest, (pixels << (2 * i + 2)) * layers_[i].outputs);
  return largest;
}

void ConvDecoder::decode(float* x, std::int64_t small_width, std::int64_t frames,
                         float* picture) const {
  std::int64_t height = shape_.small_height, width = small_width;
  float* y = activations(1, buffer_size(small_width));
  for (const ConvLayer& layer : layers_) {
    widen(layer, x, height, width, y);
    std::swap(x, y);
    height *= 2;
    width *= 2;
  }
  finish(x, small_width, frames, picture);
}

void ConvDecoder::widen(const ConvLayer& layer, const float* x, std::int64_t height,
                        std::int64_t width, float* y) {
  parallel_for(height, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
      kernels::transposed_conv_row(layer.kernel(), x, row, height, width, y);
  });
}

void ConvDecoder::activate(std::int64_t channel, const float* x, float* out,
                           std::int64_t count) const {
  const float bias = last_bias_[static_cast<std::size_t>(channel)];
  if (shape_.network == Network::kSigmoid) return kernels::sigmoid(x, bias, out, count);
  if (channel == 1) return kernels::tanh(x, bias, out, count);
  kernels::softplus(x, bias, out, count);
}

void ConvDecoder::finish(const float* x, std::int64_t small_width, std::int64_t frames,
                         float* picture) const {
  const std::int64_t inputs = shape_.layer_channels(1), doubled = shape_.layers - 1;
  const std::int64_t height = shape_.small_height << doubled, width = small_width << doubled;
  parallel_for(height, 4, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> rows(static_cast<std::size_t>(4 * width));
    for (std::int64_t row = begin; row < end; ++row)
      for (std::size_t c = 0; c < last_taps_.size(); ++c) {
        kernels::transposed_conv_row_of_one(last_taps_[c].data(), inputs, x, row, height, width,
                                            rows.data());
        const auto channel = static_cast<std::int64_t>(c);
        for (std::int64_t half = 0; half < 2; ++half) {
          const std::int64_t line = 2 * row + half;
          if (line >= shape_.n_mels) break;
          activate(channel, rows.data() + half * 2 * width,
                   picture + (channel * shape_.n_mels + line) * frames, frames);
        }
      }
  });
}

}  // namespace sda::engine
