// Turns generated chunks into the finished sound, piece by piece: joining, low-pass, stereo,
// loudness, resampling, length. The samples do not depend on how the sound is cut into pieces.
// Each object belongs to one generation; its caller makes sure that one thread at a time uses it.
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

// The first steps, at the model's sample rate: joining, low-pass, stereo.
class Assembly {
 public:
  Assembly(const Instrument& instrument, const GenerateOptions& options);

  // Takes the next samples of each generated channel: a whole chunk, where chunks are joined by
  // fades. Returns the next samples of each output channel.
  Channels append(const Channels& chunks, bool last);

 private:
  struct Channel {
    Joiner joiner;
    std::optional<ZeroPhaseFilter> filter;
  };
  std::vector<Channel> channels_;
  Spatialiser spatialiser_;
};

// The last steps, for every loudness but kPeak: loudness, resampling, cutting to the format's
// frames.
class Delivery {
 public:
  Delivery(const Instrument& instrument, const GenerateOptions& options, const AudioFormat& format);

  // Takes the pieces that Assembly returns, in order.
  Channels process(Channels piece, bool last);

 private:
  std::optional<RunningGain> gain_;
  Resampler resampler_;
  std::vector<Resampler> resamplers_;
  std::int64_t left_;  // samples per channel that are still to come
};

// How many samples per channel Assembly returns in all, at rate_of() Hz.
std::int64_t assembled_samples(const Instrument& instrument, const GenerateOptions& options);

// The rate at which the instrument makes sound, in Hz.
std::int64_t rate_of(const Instrument& instrument);

// The loudness that is set: none where the program sets none.
Loudness loudness_of(const Instrument& instrument, const GenerateOptions& options);

}  // namespace sda::engine
