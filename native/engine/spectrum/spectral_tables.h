// The window, FFT plan and filter bank of a spectrogram configuration. Most models of a library
// have the same configuration, and making the tables takes longer than loading a model.
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

  // From any thread. A cache keeps the tables of the last few configurations and shares ownership
  // with the callers.
  static std::shared_ptr<const SpectralTables> of(const SpectrogramConfig& config);
  // Whether the cache has the tables.
  static bool known(const SpectrogramConfig& config);
};

}  // namespace sda::engine
