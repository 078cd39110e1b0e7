// The HTK mel filter bank, and its inverse.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/engine.h"

namespace sda::engine {

// Triangular filters on 2595·log10(1 + f/700) (O'Shaughnessy 1987, as in HTK), no area
// normalisation, with the float32 arithmetic of torchaudio.functional.melscale_fbanks. Any number
// of threads may use one at once.
class MelScale {
 public:
  // Throws kSchema if the bank is too large, or if float32 cannot tell two filters' corners apart.
  explicit MelScale(const SpectrogramConfig& config);

  // Whether the filters are linearly independent. Filters narrower than a bin are not.
  bool full_rank() const { return full_rank_; }

  // For one frame: n_fft/2 + 1 powers → n_mels values, `mel_stride` elements apart.
  void forward(const float* power, float* mel, std::int64_t mel_stride) const;
  // The same for kLanes frames side by side: power [n_fft/2 + 1][kLanes] → mel [n_mels][kLanes].
  void forward_lanes(const float* power, float* mel) const;

  // mel [items, n_mels, frames], in double precision → power [items, n_fft/2 + 1, frames]: the
  // least-squares spectrum of least norm, clamped at 0.
  //
  // Where the bank has full rank, it uses a float32 LQ factorisation (Golub and Van Loan, "Matrix
  // Computations", 5.2) with the roundings of torchaudio.transforms.InverseMelScale's solver. A
  // more exact solution would give another sound: Griffin-Lim is chaotic, and turns the difference
  // of 1e-6 into an audibly different phase. Otherwise that solver is undefined, and the
  // pseudo-inverse Aᵀ(AAᵀ)⁺ in double precision is used.
  //
  // The first call factorises the bank, and other threads wait for it. If it is cancelled, the next
  // call factorises.
  void inverse(const double* mel, std::int64_t items, std::int64_t frames, float* power,
               const CancelToken& cancel) const;

  // The matrix of inverse(): [n_fft/2 + 1, n_mels]. Made by the first call; see inverse().
  std::shared_ptr<const std::vector<double>> solution(const CancelToken& cancel) const;

  // [n_mels, n_fft/2 + 1]
  std::vector<float> bank() const;

 private:
  struct Filter {
    std::int64_t first = 0;
    std::vector<float> weights;
  };

  bool independent() const;
  std::vector<double> solve(const CancelToken& cancel) const;

  std::int64_t bins_;
  std::vector<Filter> filters_;
  bool full_rank_;

  mutable std::mutex mutex_;  // guards the next three members
  mutable std::condition_variable solved_;
  mutable bool solving_ = false;
  mutable std::shared_ptr<const std::vector<double>> solution_;
};

}  // namespace sda::engine
