// Band-limited resampling by a ratio of integers, for sound that comes piece by piece.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/engine.h"

namespace sda::engine {

// Windowed-sinc interpolation (Smith, "Digital Audio Resampling Home Page") as
// torchaudio.functional.resample's, with the cutoff at 0.99 of the lower Nyquist frequency. kHann:
// its default, a Hann window and six zero crossings on either side. kKaiser: a Kaiser window with a
// beta of 14.77 and 64 zero crossings. Gives ⌈samples · to / from⌉ samples; rates are in Hz.
// Equal rates leave the samples unchanged. One object per channel, used by one thread at a time.
class Resampler {
 public:
  Resampler(std::int64_t from, std::int64_t to, SincWindow window = SincWindow::kHann);
  // A resampler for another channel, which shares the table of taps.
  Resampler fresh() const { return Resampler(*this, Fresh{}); }

  // Both append the finished samples to `out`.
  void push(const float* samples, std::size_t count, std::vector<float>& out);
  void finish(std::vector<float>& out);

 private:
  // The taps of one output phase. The first tap applies to the input sample at `first`, counted
  // from the start of the phase's frame of from_ samples.
  struct Phase {
    std::int64_t first;
    std::vector<float> taps;
  };
  struct Fresh {};
  Resampler(const Resampler& other, Fresh)
      : from_(other.from_), to_(other.to_), phases_(other.phases_) {}

  using Phases = std::vector<Phase>;
  static std::shared_ptr<const Phases> phases_of(std::int64_t from, std::int64_t to,
                                                 SincWindow window);
  static Phase make_phase(double position, double from, double base, SincWindow window);
  void give(std::int64_t end, std::vector<float>& out);

  std::int64_t from_, to_;  // in lowest terms
  std::shared_ptr<const Phases> phases_;
  std::vector<float> input_;  // input samples from number dropped_ on
  std::int64_t dropped_ = 0;
  std::int64_t given_ = 0;  // output samples so far
};

}  // namespace sda::engine
