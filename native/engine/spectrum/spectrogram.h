// Spectrogram's implementation: waveform → log-mel and back.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <vector>

#include "engine/engine.h"
#include "engine/spectrum/spectral_tables.h"

namespace sda::engine {

class SpectrogramImpl final : public Spectrogram {
 public:
  SpectrogramImpl(const SpectrogramConfig& config, at::Device device);

  const SpectrogramConfig& config() const override { return config_; }
  FloatTensor waveform_to_mel(const FloatTensor& waveform,
                              const CancelToken& cancel) const override;
  FloatTensor mel_to_waveform(const FloatTensor& mel, std::uint64_t seed,
                              const CancelToken& cancel) const override;

  // mel [B, n_mels, frames] on this device, and the first phases [B, bins, frames], complex64 on
  // the CPU → [B, samples] on the CPU.
  at::Tensor rebuild(const at::Tensor& mel, const at::Tensor& phases,
                     const CancelToken& cancel) const;

  at::Device device() const { return device_; }
  std::int64_t bins() const { return stft_.bins(); }

 private:
  void raise_to_power(std::vector<float>& power) const;
  void analyse_block(const float* wave, std::int64_t samples, std::int64_t first,
                     std::int64_t count, float* mel, std::int64_t mel_stride) const;
  void analyse_frame(const float* wave, std::int64_t samples, std::int64_t index, float* mel,
                     std::int64_t mel_stride) const;
  at::Tensor magnitude_of(const at::Tensor& mel, const CancelToken& cancel) const;

  SpectrogramConfig config_;
  at::Device device_;
  std::shared_ptr<const SpectralTables> tables_;
  const Stft& stft_;
  const MelScale& mel_scale_;
};

// A new generator, seeded as torch.manual_seed seeds the default generator.
at::Generator make_cpu_generator(std::uint64_t seed);

}  // namespace sda::engine
