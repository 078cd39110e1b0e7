// The random draws of one channel of a generation. Their order is part of the format: the same seed
// must give the same sound as the Python program.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "engine/engine.h"

namespace sda::engine {

class LatentSource {
 public:
  // Draws what is drawn before the first chunk.
  LatentSource(const GenerateOptions& options, std::int64_t latent_dim, std::uint64_t seed);

  // Latents are asked for once each and in order, and each chunk's phases between its latent and
  // the next. Unless a latent is drawn only when its turn comes, the phases may come later.
  at::Tensor latent(std::int64_t chunk);                      // [1, latent_dim]
  at::Tensor phases(std::int64_t bins, std::int64_t frames);  // [1, bins, frames] complex64
  bool knows_all_latents() const { return !options_.latent; }

 private:
  const GenerateOptions& options_;
  std::int64_t latent_dim_;
  at::Generator generator_;
  std::vector<at::Tensor> path_;  // empty where a latent is given
};

}  // namespace sda::engine
