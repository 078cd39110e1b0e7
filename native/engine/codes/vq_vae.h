// The vector-quantised autoencoder for inference on the CPU: codes ↔ mels.
#pragma once

#include <mutex>
#include <optional>
#include <vector>

#include "engine/codes/prior.h"
#include "engine/engine.h"
#include "engine/network/conv_decoder.h"
#include "engine/network/conv_encoder.h"
#include "engine/network/vae_weights.h"

namespace sda::engine {

// Throws kSchema with detail "field", "vqvae_config.…".
void check_codebook_config(const CodebookConfig& config);

struct VqWeights : ConvStack, Memory {
  VqWeights() : ConvStack(4) {}

  Affine encoder_proj, decoder_proj;
  std::vector<Parameter> codebooks;  // [codebook_size, codebook_dim] of each level
};

// Throws kSchema with detail "tensor" for an unexpected name, shape or element type.
VqWeights collect_vq(const StateDict& state, const VaeShape& shape, const CodebookConfig& config);

class VqVae final : public CodeModel {
 public:
  VqVae(const VaeShape& shape, const CodebookConfig& config, VqWeights weights,
        std::optional<Prior> prior);

  const CodebookConfig& config() const override { return config_; }
  std::int64_t mel_bands() const override { return shape_.n_mels; }
  std::int64_t frames() const override { return shape_.frames; }
  std::int64_t byte_size() const override;
  bool has_prior() const override { return prior_.has_value(); }
  FloatTensor decode(const std::vector<std::int32_t>& codes, std::int64_t frames,
                     const CancelToken& cancel) const override;
  std::vector<std::int32_t> encode(const FloatTensor& mel,
                                   const CancelToken& cancel) const override;
  std::vector<std::int32_t> sample(std::uint64_t seed, const SampleOptions& options,
                                   const CancelToken& cancel) const override;
  FloatTensor logits(const std::vector<std::int32_t>& codes,
                     const CancelToken& cancel) const override;

  // Throws kArgument where the file has none.
  const Prior& prior() const;

 private:
  void check_codes(const std::vector<std::int32_t>& codes) const;

  VaeShape shape_;
  CodebookConfig config_;
  VqWeights weights_;
  std::optional<Prior> prior_;
  // Made by the first decode or encode.
  mutable std::once_flag decoder_made_, encoder_made_;
  mutable std::optional<ConvDecoder> decoder_;
  mutable std::optional<ConvEncoder> encoder_;
};

}  // namespace sda::engine
