// Sound from mels that hold the loudness and the phase's steps of each band: no phase is guessed.
#pragma once

#include <memory>
#include <optional>

#include "engine/engine.h"
#include "engine/spectrum/spectral_tables.h"
#include "engine/vocoder/local_synthesis.h"

namespace sda::engine {

// The loudness is log1p of the mel power; its root is the amplitude. The phase's steps from frame
// to frame are in units of π. Both become linear by the filter bank's least-norm inverse, clamped
// at 0, and the spectrum by the inverse short-time Fourier transform.
//
// Rows: the bands' loudness, then their phases' steps. prepare() turns them into amplitudes and
// phases.
class ComplexSynthesis final : public LocalSynthesis {
 public:
  ComplexSynthesis(const SpectrogramConfig& config, const std::optional<ComplexStats>& stats);

  std::int64_t rows() const override { return 2 * config_.n_mels; }
  std::int64_t sample_rate() const override { return config_.sample_rate; }
  std::int64_t hop_length() const override { return config_.hop_length; }
  std::int64_t context() const override;
  std::int64_t samples(std::int64_t frames) const override { return tables_->stft.samples(frames); }
  std::int64_t window_frames() const override { return 47; }
  void render(const MelWindow& mel, std::int64_t begin, std::int64_t end,
              float* wave) const override;
  void prepare(float* mel, std::int64_t stride, std::int64_t count,
               std::vector<double>& state) const override;

  // The frames of so many samples. Throws kArgument for too few samples, kLimit for too much work.
  std::int64_t check_samples(std::int64_t items, std::int64_t samples) const;

  // The other way: a wave → normalised loudness and steps of the phase, [2, n_mels, frames], with
  // samples / hop_length + 1 frames. A band's step is the mean over its bins, by their weights in
  // the filter bank, of each bin's step, which is wrapped to −π … π. Silent bands have a step of 0.
  void analyse(const float* wave, std::int64_t samples, float* mel) const;

  // Of prepared frames: amplitude and phase [bins, frames]
  std::pair<FloatTensor, FloatTensor> spectrum(const MelWindow& mel, std::int64_t begin,
                                               std::int64_t end) const;

 private:
  SpectrogramConfig config_;
  ComplexStats stats_;
  std::shared_ptr<const SpectralTables> tables_;
};

}  // namespace sda::engine
