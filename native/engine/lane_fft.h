// Real FFTs of eight frames side by side, one frame a vector lane.
//
// No lane ever meets another, so the arithmetic is that of the scalar algorithm whatever the width
// of the machine's vectors: a transform has the same bits on every processor. Griffin-Lim is
// chaotic, and turns a difference in the last bit into another sound.
#pragma once

#include <cstdint>
#include <vector>

namespace sda::engine {

inline constexpr std::int64_t kLanes = 8;

// Tables for transforms of one power of two. Immutable; any number of threads may use it at once.
//
// Rows are sets of kLanes values, one of each frame. A frame's samples 2k and 2k + 1 are the real
// and the imaginary part of row k of a complex transform half as long (Sorensen et al. 1987,
// "Real-valued fast Fourier transform algorithms"), which is done in place in radix-4 steps: by
// decimation in frequency forwards, and in time backwards, so that neither has to sort its rows.
class LaneFft {
 public:
  // Whether there is a LaneFft of that size.
  static bool fits(std::int64_t size) noexcept;

  explicit LaneFft(std::int64_t size);

  std::int64_t size() const { return 2 * half_; }
  std::int64_t bins() const { return half_ + 1; }

  // [size][kLanes] samples → the complex transform of half the size, rows in the order of place().
  void forward(float* rows) const;

  // The inverse of forward, times size / 2.
  void inverse(float* rows) const;

  // In which row (two sets of kLanes: real, imaginary) the value for frequency k < size / 2 is.
  std::int32_t place(std::int64_t k) const { return places_[static_cast<std::size_t>(k)]; }
  const std::int32_t* places() const { return places_.data(); }

  // e^(-2πik / size) for k ≤ size / 4: real, imaginary, real, …
  const float* turns() const { return turns_.data(); }

 private:
  std::int64_t half_;
  // Of each radix-4 step, from the longest: e^(-2πij / n) to the powers 1, 2 and 3, for each j.
  std::vector<std::vector<float>> twiddles_;
  std::vector<std::int32_t> places_;
  std::vector<float> turns_;
};

namespace lanes {

// Frames to rows: rows[n][lane] = frames[lane][n] · window[n].
void gather(const float* const* frames, const float* window, float* rows, std::int64_t size);

// Rows to frames: frames[lane][n] = rows[n][lane] · window[n].
void scatter(const float* rows, const float* window, float* const* frames, std::int64_t size);

// Spectra are [bins][2][kLanes], magnitudes [bins][kLanes].

// What Griffin-Lim synthesises at first: magnitude · phase, times two, as rows for
// LaneFft::inverse.
void first_rows(const LaneFft& fft, const float* phase, const float* magnitude, float* rows);

// One step of the fast Griffin-Lim algorithm. `rows` come from LaneFft::forward of frames that were
// windowed by half the window, and stand for the rebuilt spectrum; with
// a = rebuilt − momentum · previous they become the rows of magnitude · a / (|a| + 1e-16), times
// two, for LaneFft::inverse, and previous becomes rebuilt.
void advance(const LaneFft& fft, const float* magnitude, float momentum, float* previous,
             float* rows);

}  // namespace lanes
}  // namespace sda::engine
