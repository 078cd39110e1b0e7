// The geometry of a centred short-time Fourier transform with torch.stft and torch.istft semantics.
#pragma once

#include <complex>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/spectrum/frame_fft.h"
#include "engine/spectrum/lane_fft.h"

namespace sda::engine {

// Immutable; shared by the forward transform and Griffin-Lim.
class Stft {
 public:
  Stft(std::int64_t n_fft, std::int64_t hop_length);

  std::int64_t n_fft() const { return fft_.size(); }
  std::int64_t hop() const { return hop_; }
  std::int64_t bins() const { return fft_.bins(); }
  // Elements from one frame's spectrum to the next: rows begin on cache lines.
  std::int64_t bin_stride() const { return (bins() + 15) / 16 * 16; }
  const FrameFft& fft() const { return fft_; }
  // Where windows are a power of two.
  const std::optional<LaneFft>& lane_fft() const { return lane_fft_; }
  const std::vector<float>& window() const { return window_; }
  const std::vector<float>& half_window() const { return half_window_; }  // each value halved

  // Samples that an inverse transform of `frames` frames gives.
  std::int64_t samples(std::int64_t frames) const { return (frames - 1) * hop_; }

  // Reflecting n_fft / 2 samples needs more samples than that: kArgument otherwise.
  void check_reflection(std::int64_t samples) const;

  // Frame `index` of `wave`, reflected at the ends, without a window: a place in the wave, or
  // `space` (n_fft samples) where the frame reaches past an end.
  const float* frame_of(const float* wave, std::int64_t samples, std::int64_t index,
                        float* space) const;

  // Frame `index` of `wave`, reflected at the ends and windowed: n_fft samples to `out`.
  void take_frame(const float* wave, std::int64_t samples, std::int64_t index, float* out) const;

  // Sums the parts of `frames` windowed frames (rows of n_fft) that fall on [begin, end) of the
  // wave into out[0 … end − begin).
  void overlap_add(const float* rows, std::int64_t frames, std::int64_t begin, std::int64_t end,
                   float* out) const;

  // Σ window², per sample of the wave. kArgument where windows of this hop leave gaps.
  std::vector<float> envelope(std::int64_t frames) const;

 private:
  FrameFft fft_;
  std::optional<LaneFft> lane_fft_;
  std::int64_t hop_;
  std::vector<float> window_, half_window_;
};

}  // namespace sda::engine
