#include "engine/network/conv_vae.h"

#include <utility>

#include "checkpoint/error.h"
#include "engine/float_tensor.h"

namespace sda::engine {

ConvVae::ConvVae(const VaeShape& shape, VaeWeights weights)
    : shape_(shape), weights_(std::move(weights)) {}

FloatTensor ConvVae::decode(const FloatTensor& z, const CancelToken& cancel) const {
  check_shape(z, {-1, shape_.latent_dim}, "z");
  std::call_once(decoder_made_, [this] { decoder_.emplace(shape_, weights_); });
  FloatTensor mel = make_tensor({z.shape[0], 1, shape_.n_mels, shape_.frames});
  decoder_->decode(z.data.get(), z.shape[0], mel.data.get(), cancel);
  return mel;
}

std::pair<FloatTensor, FloatTensor> ConvVae::encode(const FloatTensor& mel,
                                                    const CancelToken& cancel) const {
  check_encoder(weights_);
  check_shape(mel, {-1, 1, shape_.n_mels, shape_.frames}, "mel");
  std::call_once(encoder_made_, [this] { encoder_.emplace(shape_, weights_); });
  const std::vector<std::int64_t> shape{mel.shape[0], shape_.latent_dim};
  std::pair<FloatTensor, FloatTensor> result{make_tensor(shape), make_tensor(shape)};
  encoder_->encode(mel.data.get(), mel.shape[0], result.first.data.get(), result.second.data.get(),
                   cancel);
  return result;
}

void check_encoder(const VaeWeights& weights) {
  if (weights.has_encoder) return;
  throw Error(ErrorCode::kSchema,
              "this model holds only a decoder (no encoder.fc_mu.weight): it can generate, not "
              "encode")
      .with("tensor", "encoder.fc_mu.weight");
}

}  // namespace sda::engine
