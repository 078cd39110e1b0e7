// Spectrogram's implementation: waveform → log-mel and back.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "engine/device_backend.h"
#include "engine/engine.h"
#include "engine/spectrum/spectral_tables.h"

namespace sda::engine {

class SpectrogramImpl final : public Spectrogram {
 public:
  // `device`: the other device's part of the work; none on the CPU.
  SpectrogramImpl(const SpectrogramConfig& config, int iterations,
                  std::shared_ptr<const SpectralTables> tables,
                  std::optional<DeviceResynthesis> device = std::nullopt);

  const SpectrogramConfig& config() const override { return config_; }
  FloatTensor waveform_to_mel(const FloatTensor& waveform,
                              const CancelToken& cancel) const override;
  FloatTensor mel_to_waveform(const FloatTensor& mel, std::uint64_t seed,
                              const CancelToken& cancel) const override;

  // mel [B, 1, n_mels, frames] and the first phases [B, bins, frames, 2], complex numbers of any
  // magnitude → [B, samples]. On the CPU, `iterated` is called after each iteration of Griffin-Lim.
  FloatTensor rebuild(const FloatTensor& mel, const FloatTensor& phases, const CancelToken& cancel,
                      const std::function<void()>& iterated = {}) const;
  int iterations() const { return iterations_; }

  // The first part of rebuild() on the CPU: [B, bins, frames].
  FloatTensor magnitude_of(const FloatTensor& mel, const CancelToken& cancel) const;

  bool on_cpu() const { return !device_.has_value(); }
  std::int64_t bins() const { return stft_.bins(); }

 private:
  void raise_to_power(std::vector<float>& power) const;
  void analyse_block(const float* wave, std::int64_t samples, std::int64_t first,
                     std::int64_t count, float* mel, std::int64_t mel_stride) const;
  void analyse_frame(const float* wave, std::int64_t samples, std::int64_t index, float* mel,
                     std::int64_t mel_stride) const;
  SpectrogramConfig config_;
  int iterations_;
  std::shared_ptr<const SpectralTables> tables_;
  std::optional<DeviceResynthesis> device_;
  const Stft& stft_;
  const MelScale& mel_scale_;
};

// Throws kLimit if a call would need buffers of many gigabytes.
void check_work(std::int64_t items, std::int64_t frames, std::int64_t n_fft);

// Throws kArgument if a mel holds a value that is not finite, or too large for the logarithm of a
// spectrum.
void check_mel_values(const FloatTensor& mel);

}  // namespace sda::engine
