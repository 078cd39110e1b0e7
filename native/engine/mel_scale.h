// The HTK mel filter bank, and both directions through it, on frame-major spectrograms.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "engine/engine.h"

namespace sda::engine {

// Triangular filters (O'Shaughnessy 1987's 2595·log10(1 + f/700), no area normalisation), with the
// float32 arithmetic of torchaudio.functional.melscale_fbanks.
//
// A filter ends where its second neighbour begins, so the Gram matrix of the bank is tridiagonal.
// The minimum-norm least-squares inverse A⁺ = Aᵀ(AAᵀ)⁺ is therefore one tridiagonal solve in double
// precision and one sparse product, with nothing to precompute beyond the factors. Banks without
// full rank (filters narrower than a bin) use a dense pseudo-inverse of the small Gram matrix.
class MelScale {
 public:
  // Throws kSchema for a bank that float32 can't tell apart.
  explicit MelScale(const SpectrogramConfig& config);

  std::int64_t bins() const { return bins_; }
  std::int64_t mels() const { return mels_; }
  bool full_rank() const { return gram_inverse_.empty(); }

  // One frame: `bins` powers → `mels` values, `mel_stride` elements apart.
  void forward(const float* power, float* mel, std::int64_t mel_stride) const;

  // One frame: `mels` values, `mel_stride` elements apart → `bins` powers, clamped at 0.
  void inverse(const float* mel, std::int64_t mel_stride, float* power) const;

  // [bins, mels] float32, as torchaudio's MelScale holds it.
  at::Tensor dense() const;

 private:
  struct Filter {
    std::int64_t first = 0;
    std::vector<float> weights;
  };

  void factor_gram();
  void solve_gram(std::vector<double>& values) const;

  std::int64_t bins_;
  std::int64_t mels_;
  std::vector<Filter> filters_;
  std::vector<double> pivots_;        // D of the Gram matrix's LDLᵀ
  std::vector<double> lower_;         // the subdiagonal of L
  std::vector<double> gram_inverse_;  // dense, row-major; empty at full rank
};

}  // namespace sda::engine
