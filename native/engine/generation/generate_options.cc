#include "engine/generation/generate_options.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/tensors.h"

namespace sda::engine {
namespace {

constexpr double kMaxDuration = 60.0;
constexpr std::array<std::int64_t, 3> kSampleRates = {44100, 48000, 96000};
constexpr std::int64_t kMaxSteps = 100000;
// Half a chunk: beyond it a chunk would fade into its successor's fade.
constexpr std::int64_t kMaxOverlap = 24000;
// All chunks are held before the peak is known; this many take under a gigabyte.
constexpr std::int64_t kMaxChunks = 1024;

// Negated comparison, so that NaN is refused too.
void check_range(const std::string& option, double value, double low, double high) {
  if (!(value >= low && value <= high)) {
    bad_argument(option, option + " must be from " + std::to_string(low) + " to " +
                             std::to_string(high) + ", found " + std::to_string(value));
  }
}

void check_latent(const std::vector<float>& latent, std::int64_t latent_dim) {
  if (static_cast<std::int64_t>(latent.size()) != latent_dim) {
    bad_argument("latent", "latent must have " + std::to_string(latent_dim) +
                               " values for this model, found " + std::to_string(latent.size()));
  }
  if (!std::all_of(latent.begin(), latent.end(), [](float v) { return std::isfinite(v); })) {
    bad_argument("latent", "latent holds a value that is not finite");
  }
}

}  // namespace

void check_options(const GenerateOptions& options, std::int64_t latent_dim) {
  if (!(options.duration_s > 0.0 && options.duration_s <= kMaxDuration)) {
    bad_argument("duration_s", "duration_s must be above 0 and at most 60 seconds, found " +
                                   std::to_string(options.duration_s));
  }
  if (std::find(kSampleRates.begin(), kSampleRates.end(), options.sample_rate) ==
      kSampleRates.end()) {
    bad_argument("sample_rate", "sample_rate must be 44100, 48000 or 96000, found " +
                                    std::to_string(options.sample_rate));
  }
  if (options.overlap_samples < 0 || options.overlap_samples > kMaxOverlap) {
    bad_argument("overlap_samples", "overlap_samples must be from 0 to " +
                                        std::to_string(kMaxOverlap) + ", found " +
                                        std::to_string(options.overlap_samples));
  }
  if (options.steps_between < 1 || options.steps_between > kMaxSteps) {
    bad_argument("steps_between", "steps_between must be from 1 to " + std::to_string(kMaxSteps) +
                                      ", found " + std::to_string(options.steps_between));
  }
  check_range("width", options.width, 0.0, 1.5);
  check_range("depth", options.depth, 0.0, 1.0);
  if (options.latent) check_latent(*options.latent, latent_dim);
  if (chunk_count(options) > kMaxChunks) {
    bad_argument("steps_between", "steps_between: " + std::to_string(chunk_count(options)) +
                                      " chunks for this duration are too many, at most " +
                                      std::to_string(kMaxChunks));
  }
}

std::int64_t anchor_count(const GenerateOptions& options) {
  return static_cast<std::int64_t>(std::ceil(options.duration_s));
}

std::int64_t chunk_count(const GenerateOptions& options) {
  const std::int64_t anchors = anchor_count(options);
  const bool interpolates =
      !options.latent && options.concat_mode == ConcatMode::kLatentInterpolation;
  return interpolates ? (anchors - 1) * options.steps_between + 1 : anchors;
}

std::int64_t generated_channels(const GenerateOptions& options) {
  return options.spatial_mode == SpatialMode::kDualSeed ? 2 : 1;
}

}  // namespace sda::engine
