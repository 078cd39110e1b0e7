#include "engine/network/conv_encoder.h"

#include <algorithm>
#include <utility>

#include "engine/threads/parallel.h"

namespace sda::engine {

ConvEncoder::ConvEncoder(const VaeShape& shape, const VaeWeights& weights)
    : shape_(shape), fc_mu_(weights.fc_mu), fc_logvar_(weights.fc_logvar) {
  for (std::size_t i = 0; i < layers_.size(); ++i)
    layers_[i] = make_conv_layer(weights.convs[i], &weights.conv_norms[i], /*transposed=*/false);
}

void ConvEncoder::encode(const float* mel, std::int64_t items, float* mu, float* logvar,
                         const CancelToken& cancel) const {
  parallel_for(items, [&](std::int64_t item) {
    cancel.throw_if_cancelled();
    encode_item(mel + item * shape_.n_mels * shape_.frames, mu + item * shape_.latent_dim,
                logvar + item * shape_.latent_dim);
  });
}

void ConvEncoder::encode_item(const float* mel, float* mu, float* logvar) const {
  std::int64_t height = 16 * shape_.small_height, width = 16 * shape_.small_width;
  std::int64_t largest = height * width;
  for (std::size_t i = 0; i < layers_.size(); ++i)
    largest = std::max(largest, (height * width >> (2 * i + 2)) * layers_[i].outputs);
  float* x = activations(0, largest);
  float* y = activations(1, largest);

  std::fill_n(x, height * width, 0.0F);
  for (std::int64_t m = 0; m < shape_.n_mels; ++m)
    std::copy_n(mel + m * shape_.frames, shape_.frames, x + m * width);
  for (const ConvLayer& layer : layers_) {
    parallel_for(height / 2, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row)
        kernels::conv_row(layer.kernel(), x, row, height, width, y);
    });
    std::swap(x, y);
    height /= 2;
    width /= 2;
  }

  // The layers' pixels are [pixel, channel]; the fully connected layers read [channel, pixel].
  const std::int64_t pixels = height * width, channels = shape_.features() / pixels;
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel)
    for (std::int64_t channel = 0; channel < channels; ++channel)
      y[channel * pixels + pixel] = x[pixel * channels + channel];
  parallel_for(2 * shape_.latent_dim, 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const bool is_mu = i < shape_.latent_dim;
      const Affine& layer = is_mu ? fc_mu_ : fc_logvar_;
      const std::int64_t row = is_mu ? i : i - shape_.latent_dim;
      (is_mu ? mu : logvar)[row] =
          kernels::dot(layer.weight.data + row * shape_.features(), y, shape_.features()) +
          layer.bias.data[row];
    }
  });
}

}  // namespace sda::engine
