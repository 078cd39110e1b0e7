#include "engine/sound/spatial.h"

namespace sda::engine {
namespace {

constexpr double kDelaySeconds = 0.015;
constexpr double kReflectionSeconds = 0.040;
constexpr double kReflectionLevel = 0.15;
constexpr double kSmallestDepth = 0.01;
constexpr double kDualSeedDepth = 0.3;

std::int64_t samples_of(double seconds, std::int64_t sample_rate) {
  return static_cast<std::int64_t>(seconds * static_cast<double>(sample_rate));
}

}  // namespace

Spatialiser::Spatialiser(SpatialMode mode, double width, double depth, std::int64_t sample_rate)
    : mode_(mode),
      width_(static_cast<float>(width)),
      level_(0.0F),
      late_(mode == SpatialMode::kStereo ? samples_of(kDelaySeconds, sample_rate) : 0) {
  if (mode == SpatialMode::kMono) return;
  if (mode == SpatialMode::kDualSeed) depth = kDualSeedDepth;
  if (depth < kSmallestDepth) return;
  level_ = static_cast<float>(depth * kReflectionLevel);
  reflections_.assign(2, Delay(samples_of(depth * kReflectionSeconds, sample_rate)));
}

void Spatialiser::process(std::vector<std::vector<float>>& channels) {
  if (mode_ == SpatialMode::kStereo) {
    std::vector<float>& left = channels[0];
    std::vector<float> right(left.size());
    for (std::size_t i = 0; i < left.size(); ++i) {
      const float late = late_.step(left[i]);
      const float mid = (left[i] + late) * 0.5F;
      const float side = (left[i] - late) * 0.5F * width_;
      left[i] = mid + side;
      right[i] = mid - side;
    }
    channels.push_back(std::move(right));
  }
  for (std::size_t c = 0; c < reflections_.size(); ++c)
    for (float& sample : channels[c]) sample += level_ * reflections_[c].step(sample);
}

}  // namespace sda::engine
