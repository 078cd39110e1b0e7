#include "engine/generation/latent_source.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>

#include "engine/generation/generate_options.h"
#include "engine/generation/latent_path.h"
#include "engine/spectrum/spectrogram.h"

namespace sda::engine {
namespace {

constexpr double kJitter = 0.1;

}  // namespace

LatentSource::LatentSource(const GenerateOptions& options, std::int64_t latent_dim,
                           std::uint64_t seed)
    : options_(options), latent_dim_(latent_dim), generator_(make_cpu_generator(seed)) {
  if (options.latent) return;
  for (std::int64_t i = 0; i < anchor_count(options); ++i)
    path_.push_back(at::randn({1, latent_dim}, generator_, at::kFloat));
  if (options.concat_mode == ConcatMode::kLatentInterpolation)
    path_ = interpolate_anchors(path_, options.steps_between);
}

at::Tensor LatentSource::latent(std::int64_t chunk) {
  if (!options_.latent) return path_[static_cast<std::size_t>(chunk)];
  // The first chunk has the given latent; later chunks have random neighbours of it.
  const at::Tensor z =
      at::from_blob(const_cast<float*>(options_.latent->data()), {1, latent_dim_}, at::kFloat);
  return chunk == 0 ? z : z + at::randn({latent_dim_}, generator_, at::kFloat) * kJitter;
}

at::Tensor LatentSource::phases(std::int64_t bins, std::int64_t frames) {
  return at::rand({1, bins, frames}, generator_, at::kComplexFloat);
}

}  // namespace sda::engine
