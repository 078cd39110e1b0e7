// Sets the loudness of sound: by one gain for the whole sound, or piece by piece.
#pragma once

#include <cstdint>
#include <vector>

namespace sda::engine {

inline constexpr float kPeakTarget = 0.891F;  // −1 dBFS

// The largest |sample| of all channels.
float peak_of(const std::vector<std::vector<float>>& channels);

// Scales all channels by kPeakTarget / peak; does nothing where the peak is 0.
void scale_to_peak(std::vector<std::vector<float>>& channels, float peak);

// For streamed sound, whose peak is not known before the end. The first piece that is not silent
// sets the gain; later pieces can only lower it. Before a louder piece, the gain falls on a
// straight line over the last 10 ms, so these samples are held back. If the first piece is the
// loudest, the result equals that of scale_to_peak.
class RunningGain {
 public:
  explicit RunningGain(std::int64_t sample_rate);

  // In place: takes the next piece of each channel, and leaves the samples that are finished, which
  // end 10 ms earlier.
  void process(std::vector<std::vector<float>>& channels);
  // The samples that are still held back.
  std::vector<std::vector<float>> finish();

 private:
  std::size_t hold_;                      // 10 ms in samples
  float gain_ = 0.0F;                     // 0 while every piece was silent
  std::vector<std::vector<float>> held_;  // not yet scaled; up to hold_ samples per channel
};

}  // namespace sda::engine
