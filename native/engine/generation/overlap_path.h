// Synthesis::kOverlapAdd: the path through the latent space, and the mel along it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "checkpoint/cancel.h"
#include "engine/engine.h"
#include "engine/generation/latent_path.h"
#include "engine/random/torch_random.h"
#include "engine/vocoder/local_synthesis.h"

namespace sda::engine {

// Decoded mels of one second overlap by half: each step adds so many frames.
struct OverlapShape {
  OverlapShape(const SpectrogramConfig& config, const GenerateOptions& options);
  std::int64_t chunk;   // frames of one decoded mel
  std::int64_t hop;     // frames from one to the next
  std::int64_t steps;   // mels
  std::int64_t frames;  // of their sum
};

// The latent of each step. Makes the draws that come before the sound.
std::vector<Latent> overlap_path(const GenerateOptions& options, std::int64_t steps,
                                 std::int64_t latent_dim, TorchRandom& random);

// The sum of the decoded mels under periodic Hann windows, divided by the sum of the windows. One
// step alone is not windowed. Used by one thread at a time.
class OverlapMel {
 public:
  // `synthesis` prepares the frames as they become final; null: they stay as they are.
  OverlapMel(std::shared_ptr<const Model> model, std::shared_ptr<const LocalSynthesis> synthesis,
             const OverlapShape& shape, std::vector<Latent> path, std::int64_t n_mels);

  // Decodes on until frames [0, end) are final, `together` steps at a time. Returns the number of
  // steps decoded.
  std::int64_t advance(std::int64_t end, std::int64_t together, const CancelToken& cancel);

  // [1, channels, n_mels, frames]; its memory stays. Final frames no longer change, so other
  // threads may read them.
  const FloatTensor& mel() const { return mel_; }
  std::int64_t settled() const { return settled_; }  // final frames

 private:
  void add(const float* decoded, std::int64_t step);
  void settle(std::int64_t end);

  std::shared_ptr<const Model> model_;
  std::shared_ptr<const LocalSynthesis> synthesis_;
  OverlapShape shape_;
  std::vector<Latent> path_;
  std::int64_t rows_;
  std::vector<float> window_;
  FloatTensor mel_;
  std::vector<float> weight_;  // sum of the windows of each frame
  std::vector<double> state_;  // of the synthesis
  std::int64_t decoded_ = 0;   // steps
  std::int64_t settled_ = 0;   // frames
};

}  // namespace sda::engine
