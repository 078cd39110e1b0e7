#include "engine/network/conv_decoder.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/kernels.h"
#include "engine/network/conv_kernels.h"
#include "engine/threads/parallel.h"

namespace sda::engine {
ConvDecoder::ConvDecoder(const VaeShape& shape, const VaeWeights& weights)
    : shape_(shape), fc_weight_(weights.fc.weight.data), fc_bias_(weights.fc.bias.data) {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const bool is_last = i == weights.deconv_norms.size();
    layers_[i] = make_conv_layer(weights.deconvs[i], is_last ? nullptr : &weights.deconv_norms[i],
                                 /*transposed=*/true);
  }
}

void ConvDecoder::decode(const float* z, std::int64_t items, float* mel,
                         const CancelToken& cancel) const {
  // Several items: each thread decodes whole items, so that an item's activations stay in that
  // thread's caches. One item: the threads share its rows.
  parallel_for(items, [&](std::int64_t item) {
    cancel.throw_if_cancelled();
    decode_item(z + item * shape_.latent_dim, mel + item * shape_.n_mels * shape_.frames);
  });
}

void ConvDecoder::decode_item(const float* z, float* mel) const {
  std::int64_t height = shape_.small_height, width = shape_.small_width;
  std::int64_t largest = shape_.features();
  for (std::size_t i = 0; i + 1 < layers_.size(); ++i)
    largest = std::max(largest, (height * width << (2 * i + 2)) * layers_[i].outputs);
  float* x = activations(0, largest);
  float* y = activations(1, largest);
  project(z, x);
  for (std::size_t i = 0; i + 1 < layers_.size(); ++i, height *= 2, width *= 2) {
    widen(layers_[i], x, height, width, y);
    std::swap(x, y);
  }
  finish(x, mel);
}

// The fully connected layer. Its outputs are [channel, pixel]; the next layer reads
// [pixel, channel].
void ConvDecoder::project(const float* z, float* x) const {
  const std::int64_t pixels = shape_.small_height * shape_.small_width;
  const std::int64_t channels = shape_.features() / pixels;
  parallel_for(channels, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t channel = begin; channel < end; ++channel)
      for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
        const std::int64_t row = channel * pixels + pixel;
        x[pixel * channels + channel] =
            kernels::dot(fc_weight_ + row * shape_.latent_dim, z, shape_.latent_dim) +
            fc_bias_[row];
      }
  });
}

void ConvDecoder::widen(const ConvLayer& layer, const float* x, std::int64_t height,
                        std::int64_t width, float* y) {
  parallel_for(height, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
      kernels::transposed_conv_row(layer.kernel(), x, row, height, width, y);
  });
}

void ConvDecoder::finish(const float* x, float* mel) const {
  const ConvLayer& layer = layers_.back();
  const std::int64_t height = 8 * shape_.small_height, width = 8 * shape_.small_width;
  parallel_for(height, 4, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> rows(static_cast<std::size_t>(4 * width));
    for (std::int64_t row = begin; row < end; ++row) {
      kernels::transposed_conv_row_of_one(layer.taps.data(), layer.inputs, x, row, height, width,
                                          rows.data());
      for (std::int64_t half = 0; half < 2; ++half) {
        const std::int64_t line = 2 * row + half;
        if (line >= shape_.n_mels) break;
        kernels::sigmoid(rows.data() + half * 2 * width, layer.bias[0], mel + line * shape_.frames,
                         shape_.frames);
      }
    }
  });
}

}  // namespace sda::engine
