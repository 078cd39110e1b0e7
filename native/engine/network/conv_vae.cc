#include "engine/network/conv_vae.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "checkpoint/error.h"
#include "engine/float_tensor.h"
#include "engine/network/conv_kernels.h"
#include "engine/threads/parallel.h"

namespace sda::engine {

ConvVae::ConvVae(const VaeShape& shape, VaeWeights weights)
    : shape_(shape), weights_(std::move(weights)) {}

// Several items: each thread decodes whole items, so that an item's activations stay in that
// thread's caches. One item: the threads share its rows.
FloatTensor ConvVae::decode(const FloatTensor& z, const CancelToken& cancel) const {
  check_shape(z, {-1, shape_.latent_dim}, "z");
  std::call_once(decoder_made_, [this] { decoder_.emplace(shape_, weights_); });
  FloatTensor mel = make_tensor({z.shape[0], shape_.channels(), shape_.n_mels, shape_.frames});
  parallel_for(z.shape[0], [&](std::int64_t item) {
    cancel.throw_if_cancelled();
    decode_item(z.data.get() + item * shape_.latent_dim, slice(mel, item, 1).data.get());
  });
  return mel;
}

void ConvVae::decode_item(const float* z, float* picture) const {
  float* const x = activations(0, decoder_->buffer_size(shape_.small_width));
  const std::int64_t channels = shape_.layer_channels(shape_.layers);
  // The fully connected layer's outputs are [channel, pixel]; the decoder reads [pixel, channel].
  parallel_for(channels, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t channel = begin; channel < end; ++channel)
      for (std::int64_t pixel = 0; pixel < pixels(); ++pixel) {
        const std::int64_t row = channel * pixels() + pixel;
        x[pixel * channels + channel] =
            kernels::dot(weights_.fc.weight.data + row * shape_.latent_dim, z, shape_.latent_dim) +
            weights_.fc.bias.data[row];
      }
  });
  decoder_->decode(x, shape_.small_width, shape_.frames, picture);
}

std::pair<FloatTensor, FloatTensor> ConvVae::encode(const FloatTensor& mel,
                                                    const CancelToken& cancel) const {
  check_encoder(weights_);
  check_shape(mel, {-1, shape_.channels(), shape_.n_mels, shape_.frames}, "mel");
  std::call_once(encoder_made_, [this] { encoder_.emplace(shape_, weights_); });
  const std::vector<std::int64_t> shape{mel.shape[0], shape_.latent_dim};
  std::pair<FloatTensor, FloatTensor> result{make_tensor(shape), make_tensor(shape)};
  parallel_for(mel.shape[0], [&](std::int64_t item) {
    cancel.throw_if_cancelled();
    encode_item(slice(mel, item, 1).data.get(), slice(result.first, item, 1).data.get(),
                slice(result.second, item, 1).data.get());
  });
  return result;
}

void ConvVae::encode_item(const float* picture, float* mu, float* logvar) const {
  const float* const x = encoder_->encode(picture, shape_.frames);
  // The pixels are [pixel, channel]; the fully connected layers read [channel, pixel].
  const std::int64_t features = shape_.features(), channels = features / pixels();
  std::vector<float> y(static_cast<std::size_t>(features));
  for (std::int64_t pixel = 0; pixel < pixels(); ++pixel)
    for (std::int64_t channel = 0; channel < channels; ++channel)
      y[static_cast<std::size_t>(channel * pixels() + pixel)] = x[pixel * channels + channel];
  parallel_for(2 * shape_.latent_dim, 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const bool is_mu = i < shape_.latent_dim;
      const Affine& layer = is_mu ? weights_.fc_mu : weights_.fc_logvar;
      const std::int64_t row = is_mu ? i : i - shape_.latent_dim;
      const float value = kernels::dot(layer.weight.data + row * features, y.data(), features) +
                          layer.bias.data[row];
      if (is_mu)
        mu[row] = value;
      else
        logvar[row] = shape_.network == Network::kSigmoid
                          ? value
                          : std::clamp(value, -kLogvarLimit, kLogvarLimit);
    }
  });
}

void check_encoder(const VaeWeights& weights) {
  if (weights.has_encoder) return;
  throw Error(ErrorCode::kSchema,
              "this model holds only a decoder (no encoder.fc_mu.weight): it can generate, not "
              "encode")
      .with("tensor", "encoder.fc_mu.weight");
}

}  // namespace sda::engine
