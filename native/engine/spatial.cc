#include "engine/spatial.h"

namespace sda::engine {
namespace {

constexpr double kDelaySeconds = 0.015;
constexpr double kReflectionSeconds = 0.040;
constexpr double kReflectionLevel = 0.15;
constexpr double kSmallestDepth = 0.01;

}  // namespace

std::vector<std::vector<float>> widen(const std::vector<float>& mono, double width,
                                      std::int64_t sample_rate) {
  const auto delay = static_cast<std::size_t>(kDelaySeconds * static_cast<double>(sample_rate));
  std::vector<float> left(mono.size());
  std::vector<float> right(mono.size());
  const auto side_gain = static_cast<float>(width);
  for (std::size_t i = 0; i < mono.size(); ++i) {
    const float late = i < delay ? 0.0F : mono[i - delay];
    const float mid = (mono[i] + late) * 0.5F;
    const float side = (mono[i] - late) * 0.5F * side_gain;
    left[i] = mid + side;
    right[i] = mid - side;
  }
  return {std::move(left), std::move(right)};
}

void add_reflection(std::vector<float>& channel, double depth, std::int64_t sample_rate) {
  if (depth < kSmallestDepth) return;
  const auto delay =
      static_cast<std::size_t>(depth * kReflectionSeconds * static_cast<double>(sample_rate));
  const auto level = static_cast<float>(depth * kReflectionLevel);
  // Backwards, so that the reflection is of the dry signal.
  for (std::size_t i = channel.size(); i-- > delay;) channel[i] += level * channel[i - delay];
}

}  // namespace sda::engine
