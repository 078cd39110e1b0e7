// The random draws of one channel of a generation. Their order must not change: the same seed must
// give the same sound as in the Python program.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/engine.h"
#include "engine/generation/latent_path.h"
#include "engine/random/torch_random.h"

namespace sda::engine {

// Refers to `options`, which must outlive it. Used by one thread at a time.
class LatentSource {
 public:
  // Makes the draws that come before the first chunk.
  LatentSource(const GenerateOptions& options, std::int64_t latent_dim, std::uint64_t seed);

  // Call latent() once per chunk, in order, and phases() once per chunk after its latent and before
  // the next one. Where knows_all_latents(), latents may be taken ahead of the phases.
  Latent latent(std::int64_t chunk);
  FloatTensor phases(std::int64_t bins, std::int64_t frames);  // [1, bins, frames, 2]: complex
  bool knows_all_latents() const { return !options_.latent; }

 private:
  const GenerateOptions& options_;
  std::int64_t latent_dim_;
  TorchRandom random_;
  std::vector<Latent> path_;  // empty where a latent is given
};

}  // namespace sda::engine
