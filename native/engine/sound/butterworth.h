// Zero-phase Butterworth low-pass for sound that comes piece by piece, with the results of
// scipy.signal.butter and sosfiltfilt.
#pragma once

#include <cstdint>
#include <vector>

namespace sda::engine {

// One second-order section, direct form II transposed; a0 = 1.
struct Biquad {
  double b0, b1, b2, a1, a2;
};

// The bilinear transform, prewarped, of the analog Butterworth prototype (Oppenheim & Schafer,
// "Discrete-Time Signal Processing", 7.1). `order` is even; 0 < cutoff < sample_rate / 2, both in
// Hz. Every section has a gain of 1 at 0 Hz.
std::vector<Biquad> butterworth_low_pass(int order, double cutoff, double sample_rate);

// Filters forwards, then backwards, in double precision. The start values are Gustafsson's for a
// constant input. Both ends get an odd extension of 3 · (2 · sections + 1) samples, or fewer where
// the signal is shorter.
//
// The backward pass runs block by block. For each block it starts so far behind the block's end
// that the effect of its start values is smaller than a rounding error. So the result equals that
// of one backward pass from the end of the signal, is available long before the end, and does not
// depend on how the signal is cut into pieces.
class ZeroPhaseFilter {
 public:
  explicit ZeroPhaseFilter(std::vector<Biquad> sections);

  // Both append the finished samples to `out`.
  void push(const float* samples, std::size_t count, std::vector<float>& out);
  void finish(std::vector<float>& out);

 private:
  struct State {
    double z0, z1;
  };

  double step(std::vector<State>& states, double x) const;
  std::vector<State> settled(double level) const;
  void begin(std::int64_t edge);
  void filter(float sample);
  void go_back(std::int64_t end, std::int64_t from, std::vector<float>& out);

  std::vector<Biquad> sections_;
  std::int64_t edge_;        // length of the extension at either end, in samples
  std::int64_t look_ahead_;  // the backward pass starts this many samples behind a block
  std::int64_t block_;
  bool begun_ = false;
  std::vector<float> start_;     // the first samples, until they suffice for the extension
  std::vector<float> latest_;    // the last edge + 1 samples, for the extension at the end
  std::vector<State> states_;    // of the forward pass
  std::vector<double> forward_;  // output of the forward pass that is not finished yet
};

}  // namespace sda::engine
