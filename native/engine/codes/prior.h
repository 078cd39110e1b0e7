// The transformer that continues a sequence of codes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "checkpoint/cancel.h"
#include "engine/engine.h"
#include "engine/network/weight_collector.h"
#include "engine/random/torch_random.h"

namespace sda::engine {

// Throws kSchema with detail "field", "prior_config.…".
void check_prior_config(const PriorConfig& config);

// A decoder-only transformer (Vaswani et al. 2017, "Attention is all you need") with normalisation
// before each part, as torch.nn.TransformerEncoderLayer(norm_first=True) with a causal mask.
// Immutable: any number of threads may use one at once.
class Prior : private Memory {
 public:
  // Throws kSchema with detail "tensor" for an unexpected name, shape or element type.
  Prior(const StateDict& state, const PriorConfig& config, std::int64_t codebook_size);

  std::int64_t length() const { return config_.seq_len; }
  std::int64_t byte_size() const { return bytes; }

  // Codes → the logits after each: [codes, codebook_size]
  FloatTensor logits(std::span<const std::int32_t> codes, const CancelToken& cancel) const;

  // A sequence of length() codes. The first is drawn with equal chances.
  std::vector<std::int32_t> sample(TorchRandom& random, const SampleOptions& options,
                                   const CancelToken& cancel) const;

 private:
  struct Layer {
    Parameter in_weight, in_bias;
    Affine out, linear1, linear2, norm1, norm2;
  };
  class Run;

  PriorConfig config_;
  std::int64_t codes_;
  Parameter tokens_, positions_, levels_, head_;
  std::vector<Layer> layers_;
  Affine last_norm_;
};

// An index drawn from logits, as the program draws it: temperature, top-k, top-p, in this order.
std::int32_t draw_code(std::vector<float> logits, const SampleOptions& options,
                       TorchRandom& random);

}  // namespace sda::engine
