#include "engine/codes/vq_vae.h"

#include <limits>
#include <string>
#include <utility>

#include "checkpoint/error.h"
#include "engine/config.h"
#include "engine/float_tensor.h"
#include "engine/network/conv_kernels.h"
#include "engine/threads/parallel.h"

namespace sda::engine {

void check_codebook_config(const CodebookConfig& config) {
  const auto check = [](const std::string& field, std::int64_t value, std::int64_t most) {
    if (value >= 1 && value <= most) return;
    throw Error(ErrorCode::kSchema, "vqvae_config." + field + " must be from 1 to " +
                                        std::to_string(most) + ", found " + std::to_string(value))
        .with("field", "vqvae_config." + field);
  };
  check("codebook_dim", config.codebook_dim, 1 << 14);
  check("codebook_size", config.codebook_size, 1 << 20);
  check("num_quantizers", config.num_quantizers, 64);
}

VqWeights collect_vq(const StateDict& state, const VaeShape& shape, const CodebookConfig& config) {
  VqWeights weights;
  WeightCollector collect(state, "a VQ-VAE", "", weights);
  const std::int64_t deepest = shape.layer_channels(shape.layers);
  const std::int64_t dim = config.codebook_dim, size = config.codebook_size;
  collect_convs(collect, shape, weights);
  collect.affine("encoder.proj", {dim, deepest, 1, 1}, dim, weights.encoder_proj);
  for (std::int64_t q = 0; q < config.num_quantizers; ++q) {
    const std::string prefix = "quantizer.rvq.layers." + std::to_string(q) + "._codebook.";
    collect.skip(prefix + "initted", {1});
    collect.skip(prefix + "cluster_size", {1, size});
    collect.skip(prefix + "embed_avg", {1, size, dim});
    weights.codebooks.push_back(collect.take(prefix + "embed", {1, size, dim}));
  }
  collect.affine("decoder.proj", {deepest, dim, 1, 1}, deepest, weights.decoder_proj);
  collect_deconvs(collect, shape, weights);
  collect.finish();
  return weights;
}

VqVae::VqVae(const VaeShape& shape, const CodebookConfig& config, VqWeights weights,
             std::optional<Prior> prior)
    : shape_(shape), config_(config), weights_(std::move(weights)), prior_(std::move(prior)) {}

std::int64_t VqVae::byte_size() const {
  return weights_.bytes + (prior_ ? prior_->byte_size() : 0);
}

void VqVae::check_codes(const std::vector<std::int32_t>& codes) const {
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (codes[i] >= 0 && codes[i] < config_.codebook_size) continue;
    bad_argument("codes", "codes must be from 0 to " + std::to_string(config_.codebook_size - 1) +
                              ", found " + std::to_string(codes[i]) + " at " + std::to_string(i));
  }
}

FloatTensor VqVae::decode(const std::vector<std::int32_t>& codes, std::int64_t frames,
                          const CancelToken& cancel) const {
  const std::int64_t levels = config_.num_quantizers, dim = config_.codebook_dim;
  const std::int64_t width = halved(frames, shape_.layers);
  const std::int64_t pixels = shape_.small_height * width;
  if (frames < 1 || static_cast<std::int64_t>(codes.size()) != pixels * levels)
    bad_argument("codes", "codes must be " + std::to_string(pixels * levels) + " numbers for " +
                              std::to_string(frames) + " frames, found " +
                              std::to_string(codes.size()));
  check_codes(codes);
  std::call_once(decoder_made_, [this] { decoder_.emplace(shape_, weights_); });
  cancel.throw_if_cancelled();
  const std::int64_t channels = shape_.layer_channels(shape_.layers);
  float* const x = activations(0, decoder_->buffer_size(width));
  std::vector<float> sum(static_cast<std::size_t>(dim));
  for (std::int64_t p = 0; p < pixels; ++p) {
    std::fill(sum.begin(), sum.end(), 0.0F);
    for (std::int64_t q = 0; q < levels; ++q) {
      const std::int64_t code = codes[static_cast<std::size_t>(p * levels + q)];
      const float* const row = weights_.codebooks[static_cast<std::size_t>(q)].data + code * dim;
      for (std::int64_t i = 0; i < dim; ++i) sum[static_cast<std::size_t>(i)] += row[i];
    }
    for (std::int64_t c = 0; c < channels; ++c)
      x[p * channels + c] =
          kernels::dot(weights_.decoder_proj.weight.data + c * dim, sum.data(), dim) +
          weights_.decoder_proj.bias.data[c];
  }
  FloatTensor mel = make_tensor({1, 1, shape_.n_mels, frames});
  decoder_->decode(x, width, frames, mel.data.get());
  return mel;
}

std::vector<std::int32_t> VqVae::encode(const FloatTensor& mel, const CancelToken& cancel) const {
  check_shape(mel, {1, 1, shape_.n_mels, -1}, "mel");
  const std::int64_t frames = mel.shape[3], dim = config_.codebook_dim;
  std::call_once(encoder_made_, [this] { encoder_.emplace(shape_, weights_); });
  cancel.throw_if_cancelled();
  const float* const x = encoder_->encode(mel.data.get(), frames);
  const std::int64_t pixels = shape_.small_height * halved(frames, shape_.layers);
  const std::int64_t channels = shape_.layer_channels(shape_.layers);
  const std::int64_t levels = config_.num_quantizers;
  std::vector<std::int32_t> codes(static_cast<std::size_t>(pixels * levels));
  parallel_for(pixels, [&](std::int64_t p) {
    std::vector<float> rest(static_cast<std::size_t>(dim));
    for (std::int64_t i = 0; i < dim; ++i)
      rest[static_cast<std::size_t>(i)] =
          kernels::dot(weights_.encoder_proj.weight.data + i * channels, x + p * channels,
                       channels) +
          weights_.encoder_proj.bias.data[i];
    for (std::int64_t q = 0; q < levels; ++q) {
      const float* const rows = weights_.codebooks[static_cast<std::size_t>(q)].data;
      std::int64_t nearest = 0;
      double least = std::numeric_limits<double>::infinity();
      for (std::int64_t code = 0; code < config_.codebook_size; ++code) {
        double distance = 0.0;
        for (std::int64_t i = 0; i < dim; ++i) {
          const double difference =
              double{rest[static_cast<std::size_t>(i)]} - rows[code * dim + i];
          distance += difference * difference;
        }
        if (distance < least) {
          least = distance;
          nearest = code;
        }
      }
      codes[static_cast<std::size_t>(p * levels + q)] = static_cast<std::int32_t>(nearest);
      for (std::int64_t i = 0; i < dim; ++i)
        rest[static_cast<std::size_t>(i)] -= rows[nearest * dim + i];
    }
  });
  return codes;
}

const Prior& VqVae::prior() const {
  if (prior_) return *prior_;
  throw Error(
      ErrorCode::kArgument,
      "this model has no prior, so it cannot make sound by itself: decode codes, or train a "
      "prior for it")
      .with("option", std::string("prior"));
}

std::vector<std::int32_t> VqVae::sample(std::uint64_t seed, const SampleOptions& options,
                                        const CancelToken& cancel) const {
  TorchRandom random(seed);
  return prior().sample(random, options, cancel);
}

FloatTensor VqVae::logits(const std::vector<std::int32_t>& codes, const CancelToken& cancel) const {
  check_codes(codes);
  if (codes.empty() || static_cast<std::int64_t>(codes.size()) > prior().length())
    bad_argument("codes", "codes must be 1 to " + std::to_string(prior().length()) + " numbers");
  return prior().logits(codes, cancel);
}

}  // namespace sda::engine
