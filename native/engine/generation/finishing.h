// From generated chunks to what is heard, as far as it can be had: joining, low-pass, stereo,
// loudness, resampling, length. The result doesn't depend on when the pieces are asked for.
#pragma once

#include <optional>
#include <vector>

#include "engine/engine.h"
#include "engine/sound/butterworth.h"
#include "engine/sound/joining.h"
#include "engine/sound/loudness.h"
#include "engine/sound/resample.h"
#include "engine/sound/spatial.h"

namespace sda::engine {

using Channels = std::vector<std::vector<float>>;

// Samples at the model's rate, up to loudness.
class Assembly {
 public:
  Assembly(const GenerateOptions& options, std::int64_t model_rate);

  // One chunk of each generated channel → the next samples of each that is heard.
  Channels append(const Channels& chunks, bool last);

 private:
  struct Channel {
    Joiner joiner;
    std::optional<ZeroPhaseFilter> filter;
  };
  std::vector<Channel> channels_;
  Spatialiser spatialiser_;
};

// The rest of the way, for loudness that is settled piece by piece; `frames` samples in all.
class Delivery {
 public:
  Delivery(const GenerateOptions& options, std::int64_t model_rate, std::int64_t frames);

  // In order, each as Assembly gave it.
  Channels process(Channels piece, bool last);

 private:
  std::optional<RunningGain> gain_;
  Resampler resampler_;
  std::vector<Resampler> resamplers_;
  std::int64_t left_;  // samples still to come
};

// How many samples Assembly gives, at the model's rate.
std::int64_t assembled_samples(const GenerateOptions& options, std::int64_t model_rate,
                               std::int64_t chunk_samples);

}  // namespace sda::engine
