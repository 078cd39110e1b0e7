#include "engine/sound/quality.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/sound/loudness.h"

namespace sda::engine {
namespace {

constexpr double kSignalRms = 0.01;
constexpr float kClipLevel = 0.999F;

// The program takes the channels one after the other as one signal: a frame may hold the end of the
// left channel and the beginning of the right one.
double signal_to_noise(const std::vector<std::vector<float>>& audio, std::int64_t sample_rate) {
  const std::size_t length = std::max<std::int64_t>(1, sample_rate / 100);
  double signal = 0.0, noise = 0.0, power = 0.0;
  std::size_t signal_frames = 0, noise_frames = 0, filled = 0;
  for (const std::vector<float>& channel : audio)
    for (const float sample : channel) {
      power += double{sample} * sample;
      if (++filled < length) continue;
      power /= static_cast<double>(length);
      const bool is_signal = std::sqrt(power) > kSignalRms;
      (is_signal ? signal : noise) += power;
      (is_signal ? signal_frames : noise_frames) += 1;
      power = 0.0;
      filled = 0;
    }
  if (signal_frames == 0) return 0.0;
  if (noise_frames == 0 || noise == 0.0) return std::numeric_limits<double>::infinity();
  return 10.0 * std::log10(signal / static_cast<double>(signal_frames) /
                           (noise / static_cast<double>(noise_frames)));
}

}  // namespace

Quality measure_quality(const std::vector<std::vector<float>>& audio, std::int64_t sample_rate) {
  Quality quality{signal_to_noise(audio, sample_rate), 0, 0, peak_of(audio), 0};
  for (const std::vector<float>& channel : audio) {
    std::int64_t run = 0;
    for (float sample : channel) {
      run = std::abs(sample) >= kClipLevel ? run + 1 : 0;
      quality.clipped_samples += run > 0 ? 1 : 0;
      quality.max_consecutive_clipped = std::max(quality.max_consecutive_clipped, run);
    }
    quality.total_samples += static_cast<std::int64_t>(channel.size());
  }
  return quality;
}

}  // namespace sda::engine
