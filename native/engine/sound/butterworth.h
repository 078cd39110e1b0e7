// Zero-phase Butterworth low-pass, as scipy.signal.butter and sosfiltfilt give it, on sound that
// comes piece by piece.
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

// Forward and backward over the signal (Gustafsson's start values for constant input, odd extension
// by 3 · (2 · sections + 1) samples or what the signal has), in double precision.
//
// The way back begins anew for every block, so far behind it that what it began with has died away
// to less than a rounding error. So the result is that of going back from the very end, it can be
// had long before that, and it doesn't depend on the pieces.
class ZeroPhaseFilter {
 public:
  explicit ZeroPhaseFilter(std::vector<Biquad> sections);

  // Both append to `out` what is finished.
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
  std::int64_t edge_;        // samples of the extension at either end
  std::int64_t look_ahead_;  // samples behind a block from which the way back begins
  std::int64_t block_;
  bool begun_ = false;
  std::vector<float> start_;     // until there are enough for the extension
  std::vector<float> latest_;    // the last edge + 1 samples, for the other extension
  std::vector<State> states_;    // of the way forward
  std::vector<double> forward_;  // what has come and is not given yet
};

}  // namespace sda::engine
