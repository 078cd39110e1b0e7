// The geometry of a centred short-time Fourier transform, as in torch.stft and torch.istft.
#pragma once

#include <complex>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/spectrum/frame_fft.h"
#include "engine/spectrum/lane_fft.h"

namespace sda::engine {

// Immutable: any number of threads may use one at once.
class Stft {
 public:
  Stft(std::int64_t n_fft, std::int64_t hop_length);

  std::int64_t n_fft() const { return fft_.size(); }
  std::int64_t hop() const { return hop_; }
  std::int64_t bins() const { return fft_.bins(); }
  // Elements from one frame's spectrum to the next, padded so that rows begin on cache lines.
  std::int64_t bin_stride() const { return (bins() + 15) / 16 * 16; }
  const FrameFft& fft() const { return fft_; }
  // Set if LaneFft supports the window's size.
  const std::optional<LaneFft>& lane_fft() const { return lane_fft_; }
  const std::vector<float>& window() const { return window_; }
  const std::vector<float>& half_window() const { return half_window_; }  // each value halved

  // The number of samples that the inverse transform of `frames` frames gives.
  std::int64_t samples(std::int64_t frames) const { return (frames - 1) * hop_; }

  // Throws kArgument unless there are more than n_fft / 2 samples, which reflection needs.
  void check_reflection(std::int64_t samples) const;

  // Frame `index` of `wave`, reflected at the ends, not windowed. Points into the wave; where the
  // frame reaches past an end, it is built in `space` (n_fft samples).
  const float* frame_of(const float* wave, std::int64_t samples, std::int64_t index,
                        float* space) const;

  // Writes frame `index` of `wave`, reflected at the ends and windowed, to `out` (n_fft samples).
  void take_frame(const float* wave, std::int64_t samples, std::int64_t index, float* out) const;

  // Adds up the parts of `frames` windowed frames (rows of n_fft samples) that fall on samples
  // [begin, end) of the wave. Writes the sums to out[0 … end − begin).
  void overlap_add(const float* rows, std::int64_t frames, std::int64_t begin, std::int64_t end,
                   float* out) const;

  // Σ window² for each sample of the wave. Throws kArgument if windows with this hop leave gaps.
  std::vector<float> envelope(std::int64_t frames) const;

 private:
  FrameFft fft_;
  std::optional<LaneFft> lane_fft_;
  std::int64_t hop_;
  std::vector<float> window_, half_window_;
};

}  // namespace sda::engine
