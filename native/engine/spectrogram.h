// Spectrogram's implementation: waveform → log-mel and back.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include "engine/engine.h"
#include "engine/spectral_tables.h"

namespace sda::engine {

class SpectrogramImpl final : public Spectrogram {
 public:
  SpectrogramImpl(const SpectrogramConfig& config, at::Device device);

  const SpectrogramConfig& config() const override { return config_; }
  FloatTensor waveform_to_mel(const FloatTensor& waveform,
                              const CancelToken& cancel) const override;
  FloatTensor mel_to_waveform(const FloatTensor& mel, std::uint64_t seed,
                              const CancelToken& cancel) const override;

  // [B, n_mels, frames] on the CPU → [B, samples] on the CPU. Draws the first phases from
  // `generator`, so that a run of calls shares one sequence.
  at::Tensor mel_to_waveform(const at::Tensor& mel, at::Generator& generator,
                             const CancelToken& cancel) const;

  // [B, n_mels, frames] → magnitudes [B, bins, frames].
  at::Tensor mel_to_magnitude(const at::Tensor& mel) const;

 private:
  SpectrogramConfig config_;
  at::Device device_;
  std::shared_ptr<const SpectralTables> tables_;
  const Stft& stft_;
  const MelScale& mel_scale_;
};

// A generator of its own, seeded as torch.manual_seed seeds the default one.
at::Generator make_cpu_generator(std::uint64_t seed);

}  // namespace sda::engine
