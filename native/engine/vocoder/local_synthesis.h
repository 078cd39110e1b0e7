// Methods that make each sample from the mel frames near it, so that a sound can be made window by
// window: with bounded memory, in parallel.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/engine.h"

namespace sda::engine {

// Some frames of a longer mel: rows of `count` frames, `stride` elements apart.
struct MelWindow {
  const float* data;
  std::int64_t stride;
  std::int64_t first, count;  // of the mel's frames
  std::int64_t total;         // frames of the mel
};

// Immutable: any number of threads may use one at once.
class LocalSynthesis {
 public:
  virtual ~LocalSynthesis() = default;

  virtual std::int64_t rows() const = 0;         // of a mel
  virtual std::int64_t sample_rate() const = 0;  // Hz
  virtual std::int64_t hop_length() const = 0;
  // Frames on either side that a frame's samples depend on.
  virtual std::int64_t context() const = 0;
  // Samples of a mel of so many frames.
  virtual std::int64_t samples(std::int64_t frames) const = 0;
  virtual std::int64_t byte_size() const { return 0; }  // of its weights
  // Frames that are made together: about half a second.
  virtual std::int64_t window_frames() const = 0;
  // Whether the bits are the same however the windows are cut, so that threads may share one.
  virtual bool shares_windows() const { return true; }

  // Makes the samples of frames [begin, end): frame · hop_length on, as far as there are any. The
  // window holds these frames and their context, as far as the mel reaches.
  virtual void render(const MelWindow& mel, std::int64_t begin, std::int64_t end,
                      float* wave) const = 0;

  // Prepares the next frames of a mel for render(), in place: rows of `count` frames, `stride`
  // elements apart. `state` is empty at the mel's start and goes from call to call.
  virtual void prepare(float* mel, std::int64_t stride, std::int64_t count,
                       std::vector<double>& state) const {
    (void)mel, (void)stride, (void)count, (void)state;
  }
};

// Frames of each window where the engine's threads share a mel of so many frames that sound, if
// the method shares windows. The last window may have fewer.
std::int64_t shared_window(const LocalSynthesis& synthesis, std::int64_t frames);

}  // namespace sda::engine
