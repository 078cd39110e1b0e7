// The window, FFT plan and filter bank of a spectrogram configuration. Most models of a library
// have the same one, and making it takes longer than loading a model does.
#pragma once

#include <memory>

#include "engine/engine.h"
#include "engine/spectrum/mel_scale.h"
#include "engine/spectrum/stft.h"

namespace sda::engine {

struct SpectralTables {
  explicit SpectralTables(const SpectrogramConfig& config)
      : stft(config.n_fft, config.hop_length), mel_scale(config) {}

  const Stft stft;
  const MelScale mel_scale;

  // Those of the last few configurations are kept; safe to call from any thread.
  static std::shared_ptr<const SpectralTables> of(const SpectrogramConfig& config);
  static bool known(const SpectrogramConfig& config);
};

}  // namespace sda::engine
