// Band-limited resampling by a ratio of integers, of sound that comes piece by piece.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace sda::engine {

// Windowed-sinc interpolation (Smith, "Digital Audio Resampling Home Page") with
// torchaudio.functional.resample's defaults: Hann window, six zero crossings on either side, cutoff
// at 0.99 of the lower Nyquist frequency. Gives ⌈samples · to / from⌉ samples; rates in Hz. Equal
// rates pass everything on as it is.
class Resampler {
 public:
  Resampler(std::int64_t from, std::int64_t to);
  // Another channel's: shares the table.
  Resampler fresh() const { return Resampler(*this, Fresh{}); }

  // Both append to `out` what can be had.
  void push(const float* samples, std::size_t count, std::vector<float>& out);
  void finish(std::vector<float>& out);

 private:
  // The taps of one output phase, the first of them `first` input samples from the phase's own
  // frame.
  struct Phase {
    std::int64_t first;
    std::vector<float> taps;
  };
  struct Fresh {};
  Resampler(const Resampler& other, Fresh)
      : from_(other.from_), to_(other.to_), phases_(other.phases_) {}

  static Phase make_phase(double position, double from, double base);
  void give(std::int64_t end, std::vector<float>& out);

  std::int64_t from_, to_;  // in lowest terms
  std::shared_ptr<const std::vector<Phase>> phases_;
  std::vector<float> input_;  // from sample `dropped_` on
  std::int64_t dropped_ = 0;
  std::int64_t given_ = 0;
};

}  // namespace sda::engine
