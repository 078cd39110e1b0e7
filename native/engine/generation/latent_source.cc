#include "engine/generation/latent_source.h"

#include "engine/float_tensor.h"
#include "engine/generation/generate_options.h"

namespace sda::engine {
namespace {

constexpr float kJitter = 0.1F;

}  // namespace

LatentSource::LatentSource(const GenerateOptions& options, std::int64_t latent_dim,
                           std::uint64_t seed)
    : options_(options), latent_dim_(latent_dim), random_(seed) {
  if (options.latent) return;
  for (std::int64_t i = 0; i < anchor_count(options); ++i) {
    path_.emplace_back(static_cast<std::size_t>(latent_dim));
    random_.randn(path_.back());
  }
  if (options.concat_mode == ConcatMode::kLatentInterpolation)
    path_ = interpolate_anchors(path_, options.steps_between);
}

Latent LatentSource::latent(std::int64_t chunk) {
  if (!options_.latent) return path_[static_cast<std::size_t>(chunk)];
  // The first chunk has the given latent; later chunks have random neighbours of it.
  const Latent& given = *options_.latent;
  if (chunk == 0) return given;
  Latent near(static_cast<std::size_t>(latent_dim_));
  random_.randn(near);
  for (std::size_t i = 0; i < near.size(); ++i) near[i] = given[i] + near[i] * kJitter;
  return near;
}

FloatTensor LatentSource::phases(std::int64_t bins, std::int64_t frames) {
  FloatTensor phases = make_tensor({1, bins, frames, 2});
  random_.rand({phases.data.get(), static_cast<std::size_t>(phases.numel())});
  return phases;
}

}  // namespace sda::engine
