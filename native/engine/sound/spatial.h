// Stereo from mono, and depth, for sound that comes piece by piece.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/engine.h"

namespace sda::engine {

// Delays a signal by a number of samples; the first outputs are 0.
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

// - kMono: leaves the channel unchanged
// - kStereo: makes two channels from one. The right channel is 15 ms late; the side signal, half
//   their difference, is scaled by `width`
// - kDualSeed: keeps the two channels, with a depth of 0.3
// kStereo and kDualSeed add one reflection to each channel, depth · 40 ms late at depth · 0.15 of
// the level. A depth below 0.01 adds none.
class Spatialiser {
 public:
  Spatialiser(SpatialMode mode, double width, double depth, std::int64_t sample_rate);

  // In place: turns the next piece of each generated channel into that of each output channel.
  void process(std::vector<std::vector<float>>& channels);

 private:
  SpatialMode mode_;
  float width_;
  float level_;
  Delay late_;
  std::vector<Delay> reflections_;
};

}  // namespace sda::engine
