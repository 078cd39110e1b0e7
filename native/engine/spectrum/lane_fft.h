// Real FFTs of eight frames side by side, one frame per vector lane.
//
// No operation mixes lanes, so the arithmetic is that of the scalar algorithm for every vector
// width: a transform has the same bits on every processor. This matters because Griffin-Lim is
// chaotic, and turns a difference in the last bit into another sound.
#pragma once

#include <cstdint>
#include <vector>

namespace sda::engine {

inline constexpr std::int64_t kLanes = 8;

// Tables for transforms of one size, a power of two. Immutable: any number of threads may use one
// at once.
//
// A row has kLanes complex values, one of each frame. A frame's samples 2k and 2k + 1 are the real
// and the imaginary part in row k of a complex transform of half the size (Sorensen et al. 1987,
// "Real-valued fast Fourier transform algorithms"). It is done in place in radix-4 steps: the
// forward transform decimates in frequency, the inverse in time, so that neither has to sort the
// rows.
//
// After the first step, each quarter of the rows is a transform of its own, small enough for the
// first-level cache. Frequency k is in quarter k mod 4. To turn the complex transform into a real
// spectrum takes the values at k and half − k. For k in quarter 0 or 2, both are in that quarter;
// for quarter 1, the other one is in quarter 3, and vice versa. So everything between the first and
// the last step is done by groups of quarters: 0, 2, and 1 with 3.
class LaneFft {
 public:
  // Whether LaneFft supports this size.
  static bool fits(std::int64_t size) noexcept;

  explicit LaneFft(std::int64_t size);

  std::int64_t size() const { return 2 * half_; }
  std::int64_t half() const { return half_; }
  std::int64_t bins() const { return half_ + 1; }

  // [size][kLanes] samples → the complex transform of half the size; place() gives the rows' order.
  void forward(float* rows) const;

  // The inverse of forward(), times size / 2.
  void inverse(float* rows) const;

  // One quarter of the rows: forward() without its first step, inverse() without its last.
  void forward_quarter(float* rows, int quarter) const;
  void inverse_quarter(float* rows, int quarter) const;

  // The row that has frequency k < size / 2: kLanes real parts, then kLanes imaginary parts.
  std::int32_t place(std::int64_t k) const { return places_[static_cast<std::size_t>(k)]; }

  // The places of k (low) and half − k (high), and e^(-2πik / size).
  struct Pair {
    std::int32_t low, high;
    float cosine, sine;
  };
  // The pairs of quarter 0 (without k = 0 and k = half / 2), of quarter 2, and of quarters 1 and 3.
  enum Group { kZero, kTwo, kOneAndThree };
  const std::vector<Pair>& pairs(Group group) const { return pairs_[group]; }
  // k = half / 2, which is its own partner.
  const Pair& middle() const { return middle_; }

  // e^(-2πik / size) for k ≤ size / 4: real, imaginary, real, …
  const float* turns() const { return turns_.data(); }

  // The twiddles of the first forward step, which is the last inverse one: for each j, the powers
  // 1, 2 and 3 of e^(-2πij / half).
  const float* outer_twiddles() const { return twiddles_.front().data(); }

 private:
  std::int64_t half_;
  // One table per radix-4 step, from the longest transform to the shortest.
  std::vector<std::vector<float>> twiddles_;
  std::vector<std::int32_t> places_;
  std::vector<float> turns_;
  std::vector<Pair> pairs_[3];
  Pair middle_;
};

namespace lanes {

// Windows the frames, turns them into rows, and does the first step of the transform.
void gather_split(const LaneFft& fft, const float* const* frames, const float* window, float* rows);

// The spectra of eight real frames, windowed by twice `half_window`: [bins][2][kLanes], in the
// order of frequencies. `rows` is scratch space of [size][kLanes].
void real_forward(const LaneFft& fft, const float* const* frames, const float* half_window,
                  float* rows, float* spectra);

// Where overlapping frames, `hop` samples apart, are added up. In the first `head` samples of the
// block, the frames are stored separately: the sums there must start with the frames of the block
// before.
struct OverlapAdd {
  std::int64_t hop, head;
  float* heads;  // [lanes that reach into the head][head_stride]
  std::int64_t head_stride;
  float* body;  // [8 · hop], the sums behind the head
};

// Does the last step of the inverse transform, windows the frames and adds them up.
void join_add(const LaneFft& fft, const float* rows, const float* window, const OverlapAdd& to);

// In the two functions below, spectra are [half + 1][2][kLanes] and magnitudes [half + 1][kLanes].
// Frequency k < half is at place(k), frequency half is last.

// The start of Griffin-Lim for one group of rows: 2 · magnitude · phase, as LaneFft::inverse takes
// it.
void first_rows(const LaneFft& fft, LaneFft::Group group, const float* phase,
                const float* magnitude, float* rows);

// One step of the fast Griffin-Lim algorithm on one group of rows. The rows come from
// LaneFft::forward of frames windowed by half the window, and stand for the rebuilt spectrum. With
// a = rebuilt − momentum · previous, they become 2 · magnitude · a / (|a| + 1e-16), as
// LaneFft::inverse takes it, and `previous` becomes rebuilt.
void advance(const LaneFft& fft, LaneFft::Group group, const float* magnitude, float momentum,
             float* previous, float* rows);

}  // namespace lanes
}  // namespace sda::engine
