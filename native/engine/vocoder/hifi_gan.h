// HiFi-GAN's generator (Kong, Kim, Bae 2020, "HiFi-GAN: Generative adversarial networks for
// efficient and high fidelity speech synthesis") for inference on the CPU, with residual blocks of
// type 1 and the weight normalisation folded in.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/engine.h"
#include "engine/network/weight_collector.h"
#include "engine/vocoder/conv1d_kernels.h"
#include "engine/vocoder/local_synthesis.h"

namespace sda::engine {

inline constexpr float kVocoderSlope = 0.1F;       // of the leaky rectifiers
inline constexpr float kVocoderLastSlope = 0.01F;  // of the one before the last convolution
// Mel frames that are made together, by every backend: about half a second.
inline constexpr std::int64_t kVocoderWindow = 47;

// Throws kSchema with detail "field", "vocoder_state.config.…".
void check_vocoder_config(const VocoderConfig& config);
// Frames on either side that a frame's samples depend on.
std::int64_t vocoder_context(const VocoderConfig& config);

// A layer's weights, folded: w = g · v / ‖v‖, the norm over all but the first index.
struct VocoderLayer {
  std::vector<float> weight;  // as v
  std::vector<float> bias;
  std::vector<std::int64_t> shape;  // of v
};

// The generator's layers, in the state dict's order.
struct VocoderWeights {
  VocoderLayer pre, post;
  std::vector<VocoderLayer> ups;
  // One per stage and kernel, in order; each with its layers convs1[0], convs2[0], convs1[1], …
  std::vector<std::vector<VocoderLayer>> blocks;
  std::int64_t bytes = 0;
};

// Throws kSchema with detail "tensor" for an unexpected name, shape or element type.
VocoderWeights collect_vocoder(const StateDict& state, const VocoderConfig& config);

// What a generator is, whatever computes its layers.
class Vocoder : public LocalSynthesis {
 public:
  Vocoder(const VocoderConfig& config, const VocoderWeights& weights)
      : config_(config), context_(vocoder_context(config)), bytes_(weights.bytes) {}

  std::int64_t rows() const override { return config_.num_mels; }
  std::int64_t sample_rate() const override { return config_.sample_rate; }
  std::int64_t hop_length() const override { return config_.hop_length; }
  std::int64_t context() const override { return context_; }
  std::int64_t samples(std::int64_t frames) const override { return frames * config_.hop_length; }
  std::int64_t byte_size() const override { return bytes_; }
  std::int64_t window_frames() const override { return kVocoderWindow; }

 protected:
  const VocoderConfig config_;

 private:
  const std::int64_t context_, bytes_;
};

class HifiGan final : public Vocoder {
 public:
  HifiGan(const VocoderConfig& config, const VocoderWeights& weights);

  void render(const MelWindow& mel, std::int64_t begin, std::int64_t end,
              float* wave) const override;

 private:
  // [begin, end) of the samples of one layer
  struct Range {
    std::int64_t begin, end;
    std::int64_t size() const { return end - begin; }
    Range widened(std::int64_t by) const { return {begin - by, end + by}; }
    Range within(std::int64_t total) const;
  };
  // Rows of samples over a range of a layer's samples, one row per channel. Samples before the
  // signal's start and after its end are 0.
  struct Rows {
    float* data;
    std::int64_t stride;
    Range range;
    float* at(std::int64_t sample) const { return data + (sample - range.begin); }
  };
  struct Conv {
    std::vector<float> taps, bias;
    std::int64_t inputs, outputs, width, dilation;
    kernels::Conv1d kernel() const {
      return {taps.data(), bias.data(), inputs, static_cast<std::int64_t>(bias.size()),
              width,       dilation};
    }
    std::int64_t reach() const { return (width - 1) / 2 * dilation; }
  };
  struct Block {
    std::vector<Conv> first, second;  // convs1 and convs2
    std::int64_t reach() const;
  };
  // An upsampling layer and the residual blocks after it.
  struct Stage {
    std::int64_t rate, width;
    std::int64_t outputs;
    std::vector<Conv> phases;  // one for each of the `rate` positions between two inputs
    std::vector<Block> blocks;
    std::int64_t samples_per_frame;
    std::int64_t reach() const;       // of the blocks
    Range needs(Range wanted) const;  // the inputs of these samples before the blocks
    std::int64_t tile() const;
  };
  class Scratch;

  static Conv make_conv(const VocoderLayer& layer, std::int64_t dilation);
  static Stage make_stage(const VocoderConfig& config, const VocoderWeights& weights,
                          std::size_t index);
  Rows first_layer(Scratch& scratch, const MelWindow& mel, Range range) const;
  // The stage's output for `range`: rectified, as the next layer takes it.
  Rows output(Scratch& scratch, const MelWindow& mel, std::size_t stage, Range range) const;
  void fill(Scratch& scratch, std::size_t stage, const Rows& input, Range range, std::int64_t total,
            const Rows& out) const;
  void upsample(Scratch& scratch, const Stage& stage, const Rows& input, const Rows& x,
                const Rows& leaky, std::int64_t total) const;

  Conv pre_, post_;
  std::vector<Stage> stages_;
};

}  // namespace sda::engine
