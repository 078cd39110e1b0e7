// Zero-phase Butterworth low-pass, as scipy.signal.butter and sosfiltfilt give it.
#pragma once

#include <vector>

#include "checkpoint/cancel.h"

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
// by 3 · (2 · sections + 1) samples or what the signal has), in double precision, in place.
// The signal may not be empty.
void filter_zero_phase(const std::vector<Biquad>& sections, std::vector<float>& signal,
                       const CancelToken& cancel);

}  // namespace sda::engine
