// Stereo out of mono, and depth, on sound that comes piece by piece.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/engine.h"

namespace sda::engine {

// The signal as it was a while ago; silence before its beginning.
class Delay {
 public:
  explicit Delay(std::int64_t samples) : past_(static_cast<std::size_t>(samples)) {}

  float step(float sample) {
    if (past_.empty()) return sample;
    const float late = past_[next_];
    past_[next_] = sample;
    next_ = next_ + 1 == past_.size() ? 0 : next_ + 1;
    return late;
  }

 private:
  std::vector<float> past_;
  std::size_t next_ = 0;
};

// - kStereo: a copy 15 ms late on the right, in mid-side form with the side scaled by `width`
//   (0 … 1.5); two channels out of one
// - kDualSeed: the two channels as they are, with a depth of 0.3
// Both add one reflection to each channel, depth · 40 ms late at depth · 0.15 of the level; none
// below a depth of 0.01. kMono changes nothing.
class Spatialiser {
 public:
  Spatialiser(SpatialMode mode, double width, double depth, std::int64_t sample_rate);

  // In place: the next piece of each channel that is generated becomes that of each that is heard.
  void process(std::vector<std::vector<float>>& channels);

 private:
  SpatialMode mode_;
  float width_;
  float level_;
  Delay late_;
  std::vector<Delay> reflections_;
};

}  // namespace sda::engine
