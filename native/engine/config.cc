#include "engine/config.h"

#include <cmath>

namespace sda::engine {
namespace {

[[noreturn]] void refuse(const std::string& field, const std::string& rule,
                         const std::string& found) {
  throw Error(ErrorCode::kSchema, field + " must be " + rule + ", found " + found)
      .with("field", field);
}

void check_range(const std::string& field, std::int64_t value, std::int64_t low,
                 std::int64_t high) {
  if (value < low || value > high) {
    refuse(field, "from " + std::to_string(low) + " to " + std::to_string(high),
           std::to_string(value));
  }
}

}  // namespace

void check_config(const SpectrogramConfig& config) {
  check_range("sample_rate", config.sample_rate, 1, kMaxSampleRate);
  check_range("n_fft", config.n_fft, 2, kMaxFftSize);
  if (config.n_fft % 2 != 0) refuse("n_fft", "even", std::to_string(config.n_fft));
  check_range("hop_length", config.hop_length, 1, config.n_fft);
  check_range("n_mels", config.n_mels, 1, kMaxMels);
  const double top = upper_frequency(config);
  // Written so that NaN is refused too.
  if (!(config.f_min >= 0.0 && std::isfinite(config.f_min))) {
    refuse("f_min", "a frequency of at least 0 Hz", std::to_string(config.f_min));
  }
  if (!(top > config.f_min && top <= static_cast<double>(kMaxSampleRate))) {
    refuse("f_max", "above f_min and at most " + std::to_string(kMaxSampleRate) + " Hz",
           std::to_string(top));
  }
  if (!(config.power > 0.0 && config.power <= 16.0)) {
    refuse("power", "above 0 and at most 16", std::to_string(config.power));
  }
}

void check_latent_dim(std::int64_t latent_dim) {
  check_range("latent_dim", latent_dim, 1, kMaxLatentDim);
}

double upper_frequency(const SpectrogramConfig& config) {
  return config.f_max.value_or(static_cast<double>(config.sample_rate) / 2.0);
}

std::int64_t model_frames(const SpectrogramConfig& config) {
  return config.sample_rate / config.hop_length + 1;
}

std::int64_t halved(std::int64_t extent, std::int64_t layers) {
  const std::int64_t unit = std::int64_t{1} << layers;
  return (extent + unit - 1) / unit;
}

}  // namespace sda::engine
