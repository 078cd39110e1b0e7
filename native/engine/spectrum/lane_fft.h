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
//
// After the first step each quarter of the rows is a transform of its own, small enough for the
// first-level cache. Frequency k is in quarter k mod 4, and what makes a real spectrum of the
// complex transform needs k and half − k: quarters 0 and 2 have both of these, 1 and 3 each
// other's. So everything between the first step and the last is done quarter by quarter.
class LaneFft {
 public:
  // Whether there is a LaneFft of that size.
  static bool fits(std::int64_t size) noexcept;

  explicit LaneFft(std::int64_t size);

  std::int64_t size() const { return 2 * half_; }
  std::int64_t half() const { return half_; }
  std::int64_t bins() const { return half_ + 1; }

  // [size][kLanes] samples → the complex transform of half the size, rows in the order of place().
  void forward(float* rows) const;

  // The inverse of forward, times size / 2.
  void inverse(float* rows) const;

  // The same but for the first step, and but for the last, of one quarter of the rows.
  void forward_quarter(float* rows, int quarter) const;
  void inverse_quarter(float* rows, int quarter) const;

  // In which row (two sets of kLanes: real, imaginary) the value for frequency k < size / 2 is.
  std::int32_t place(std::int64_t k) const { return places_[static_cast<std::size_t>(k)]; }

  // The places of k and half − k, and e^(-2πik / size).
  struct Pair {
    std::int32_t low, high;
    float cosine, sine;
  };
  // Those of quarter 0 (without k = 0 and k = half / 2), of 2, and of 1 and 3 together.
  enum Group { kZero, kTwo, kOneAndThree };
  const std::vector<Pair>& pairs(Group group) const { return pairs_[group]; }
  // k = half / 2, which is its own partner.
  const Pair& middle() const { return middle_; }

  // e^(-2πik / size) for k ≤ size / 4: real, imaginary, real, …
  const float* turns() const { return turns_.data(); }

  // Of the first and last step: e^(-2πij / half) to the powers 1, 2 and 3, for each j.
  const float* outer_twiddles() const { return twiddles_.front().data(); }

 private:
  std::int64_t half_;
  // Of each radix-4 step, from the longest.
  std::vector<std::vector<float>> twiddles_;
  std::vector<std::int32_t> places_;
  std::vector<float> turns_;
  std::vector<Pair> pairs_[3];
  Pair middle_;
};

namespace lanes {

// Frames to rows, windowed, with the first step of the transform.
void gather_split(const LaneFft& fft, const float* const* frames, const float* window, float* rows);

// The spectra of eight real frames, windowed by twice `half_window`: [bins][2][kLanes], by
// frequency. `rows` is space for [size][kLanes].
void real_forward(const LaneFft& fft, const float* const* frames, const float* half_window,
                  float* rows, float* spectra);

// Where overlapping frames, `hop` samples apart, are added up. What lies in the first `head`
// samples of the block is kept frame by frame, since earlier frames of another block come first in
// those sums.
struct OverlapAdd {
  std::int64_t hop, head;
  float* heads;  // [lanes that reach into the head][head_stride]
  std::int64_t head_stride;
  float* body;  // [8 · hop], what lies behind the head
};

// The last step of the inverse transform, and its rows windowed and added up as frames.
void join_add(const LaneFft& fft, const float* rows, const float* window, const OverlapAdd& to);

// Spectra are [half + 1][2][kLanes] and magnitudes [half + 1][kLanes], at a frequency's place;
// half's is last.

// What Griffin-Lim synthesises at first, of one group of rows: magnitude · phase, times two, for
// LaneFft::inverse.
void first_rows(const LaneFft& fft, LaneFft::Group group, const float* phase,
                const float* magnitude, float* rows);

// One step of the fast Griffin-Lim algorithm on one group of rows. They come from LaneFft::forward
// of frames that were windowed by half the window, and stand for the rebuilt spectrum; with
// a = rebuilt − momentum · previous they become the rows of magnitude · a / (|a| + 1e-16), times
// two, for LaneFft::inverse, and previous becomes rebuilt.
void advance(const LaneFft& fft, LaneFft::Group group, const float* magnitude, float momentum,
             float* previous, float* rows);

}  // namespace lanes
}  // namespace sda::engine
