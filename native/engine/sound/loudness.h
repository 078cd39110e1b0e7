// How loud sound is made: to one peak for all of it, or as it comes.
#pragma once

#include <cstdint>
#include <vector>

namespace sda::engine {

inline constexpr float kPeakTarget = 0.891F;  // −1 dBFS

// The largest |sample| of all channels.
float peak_of(const std::vector<std::vector<float>>& channels);

// Scales all channels alike by kPeakTarget / peak; silence stays silence.
void scale_to_peak(std::vector<std::vector<float>>& channels, float peak);

// For sound that is heard before all of it is known: as loud as its first piece that isn't silent
// allows, and from then on only ever softer. The gain that a louder piece needs is reached on a
// straight line over the last 10 ms before it, so those are held back. Where the loudest piece is
// the first, the result is that of scale_to_peak.
class RunningGain {
 public:
  explicit RunningGain(std::int64_t sample_rate);

  // In place: the next piece of each channel becomes what may be heard now, which is 10 ms behind.
  void process(std::vector<std::vector<float>>& channels);
  // The rest.
  std::vector<std::vector<float>> finish();

 private:
  std::size_t hold_;                      // samples
  float gain_ = 0.0F;                     // 0: nothing was loud enough to tell
  std::vector<std::vector<float>> held_;  // not scaled yet; up to hold_ of each channel
};

}  // namespace sda::engine
