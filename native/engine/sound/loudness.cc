#include "engine/sound/loudness.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace sda::engine {

float peak_of(const std::vector<std::vector<float>>& channels) {
  float peak = 0.0F;
  for (const std::vector<float>& channel : channels)
    for (const float sample : channel) peak = std::max(peak, std::abs(sample));
  return peak;
}

void scale_to_peak(std::vector<std::vector<float>>& channels, float peak) {
  if (peak == 0.0F) return;
  const float gain = kPeakTarget / peak;
  for (std::vector<float>& channel : channels)
    for (float& sample : channel) sample *= gain;
}

RunningGain::RunningGain(std::int64_t sample_rate)
    : hold_(static_cast<std::size_t>(std::max<std::int64_t>(1, sample_rate / 100))) {}

void RunningGain::process(std::vector<std::vector<float>>& channels) {
  held_.resize(channels.size());
  const float peak = peak_of(channels);
  const float before = gain_;
  if (peak > 0.0F) {
    const float needed = kPeakTarget / peak;
    gain_ = gain_ == 0.0F ? needed : std::min(gain_, needed);
  }
  // While there was no gain, the held samples are silent, so any gain will do.
  const float from = before == 0.0F ? gain_ : before;
  for (std::size_t c = 0; c < channels.size(); ++c) {
    std::vector<float> heard = std::move(held_[c]);
    const auto length = static_cast<float>(heard.size());
    for (std::size_t i = 0; i < heard.size(); ++i) {
      const float way = static_cast<float>(i + 1) / length;
      heard[i] *= from == gain_ ? gain_ : from + (gain_ - from) * way;
    }
    const std::size_t now = channels[c].size() - std::min(channels[c].size(), hold_);
    held_[c].assign(channels[c].begin() + static_cast<std::ptrdiff_t>(now), channels[c].end());
    heard.reserve(heard.size() + now);
    for (std::size_t i = 0; i < now; ++i) heard.push_back(channels[c][i] * gain_);
    channels[c] = std::move(heard);
  }
}

std::vector<std::vector<float>> RunningGain::finish() {
  for (std::vector<float>& channel : held_)
    for (float& sample : channel) sample *= gain_;
  return std::exchange(held_, {});
}

}  // namespace sda::engine
