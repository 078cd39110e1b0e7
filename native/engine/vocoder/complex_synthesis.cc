#include "engine/vocoder/complex_synthesis.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
#include <utility>

#include "engine/float_tensor.h"
#include "engine/kernels.h"
#include "engine/spectrum/spectrogram.h"

namespace sda::engine {

ComplexSynthesis::ComplexSynthesis(const SpectrogramConfig& config,
                                   const std::optional<ComplexStats>& stats)
    : config_(config),
      stats_(stats.value_or(ComplexStats{})),
      tables_(SpectralTables::of(config)) {}

std::int64_t ComplexSynthesis::context() const {
  return (config_.n_fft / 2 + config_.hop_length - 1) / config_.hop_length;
}

void ComplexSynthesis::prepare(float* mel, std::int64_t stride, std::int64_t count,
                               std::vector<double>& state) const {
  const std::int64_t bands = config_.n_mels;
  state.resize(static_cast<std::size_t>(bands), 0.0);
  const auto mag_mean = static_cast<float>(stats_.mag_mean);
  const auto mag_std = static_cast<float>(stats_.mag_std);
  const auto if_mean = static_cast<float>(stats_.if_mean);
  const auto if_std = static_cast<float>(stats_.if_std);
  constexpr auto kPi = static_cast<float>(std::numbers::pi);
  for (std::int64_t m = 0; m < bands; ++m) {
    float* const loud = mel + m * stride;
    for (std::int64_t t = 0; t < count; ++t) loud[t] = loud[t] * mag_std + mag_mean;
    kernels::expm1_positive(loud, loud, count);
    kernels::square_root(loud, count);
    float* const phase = mel + (bands + m) * stride;
    double& sum = state[static_cast<std::size_t>(m)];
    for (std::int64_t t = 0; t < count; ++t) {
      // torch sums floats in double precision, and rounds each sum.
      sum += static_cast<double>((phase[t] * if_std + if_mean) * kPi);
      phase[t] = static_cast<float>(sum);
    }
  }
}

std::int64_t ComplexSynthesis::check_samples(std::int64_t items, std::int64_t samples) const {
  tables_->stft.check_reflection(samples);
  const std::int64_t frames = samples / tables_->stft.hop() + 1;
  check_work(items, frames, rows());
  return frames;
}

void ComplexSynthesis::analyse(const float* wave, std::int64_t samples, float* mel) const {
  constexpr float kSilence = 1e-5F;  // of a band's power
  constexpr double kTurn = 2.0 * std::numbers::pi;
  const Stft& stft = tables_->stft;
  const std::int64_t bands = config_.n_mels, bins = stft.bins(), size = stft.n_fft();
  const std::int64_t frames = samples / stft.hop() + 1;
  const std::vector<float> bank = tables_->mel_scale.bank();
  std::vector<float> frame(static_cast<std::size_t>(size)), power(static_cast<std::size_t>(bins));
  std::vector<float> steps(power.size());
  std::vector<double> before(power.size());
  std::vector<std::complex<float>> spectrum(power.size());
  for (std::int64_t t = 0; t < frames; ++t) {
    stft.take_frame(wave, samples, t, frame.data());
    stft.fft().forward(frame.data(), spectrum.data());
    kernels::squared_magnitude(spectrum.data(), power.data(), bins);
    for (std::size_t k = 0; k < power.size(); ++k) {
      const double phase = std::atan2(double{spectrum[k].imag()}, double{spectrum[k].real()});
      const double step = t == 0 ? 0.0 : phase - before[k] + std::numbers::pi;
      before[k] = phase;
      steps[k] = t == 0 ? 0.0F
                        : static_cast<float>(
                              (step - kTurn * std::floor(step / kTurn)) / std::numbers::pi - 1.0);
    }
    for (std::int64_t m = 0; m < bands; ++m) {
      const float* const weights = bank.data() + m * bins;
      double loud = 0.0, turned = 0.0, sum = 0.0;
      for (std::int64_t k = 0; k < bins; ++k) {
        loud += double{weights[k]} * power[static_cast<std::size_t>(k)];
        turned += double{weights[k]} * steps[static_cast<std::size_t>(k)];
        sum += double{weights[k]};
      }
      const double step = loud < kSilence || sum == 0.0 ? 0.0 : turned / sum;
      mel[m * frames + t] =
          static_cast<float>((std::log1p(loud) - stats_.mag_mean) / stats_.mag_std);
      mel[(bands + m) * frames + t] = static_cast<float>((step - stats_.if_mean) / stats_.if_std);
    }
  }
}

std::pair<FloatTensor, FloatTensor> ComplexSynthesis::spectrum(const MelWindow& mel,
                                                               std::int64_t begin,
                                                               std::int64_t end) const {
  const std::int64_t bands = config_.n_mels, frames = end - begin, bins = tables_->stft.bins();
  std::vector<double> both(static_cast<std::size_t>(2 * bands * frames));
  for (std::int64_t row = 0; row < 2 * bands; ++row)
    for (std::int64_t t = 0; t < frames; ++t)
      both[static_cast<std::size_t>(row * frames + t)] =
          static_cast<double>(mel.data[row * mel.stride + (begin - mel.first) + t]);
  FloatTensor linear = make_tensor({2, bins, frames});
  tables_->mel_scale.inverse(both.data(), 2, frames, linear.data.get(), CancelToken());
  const FloatTensor amplitude = slice(linear, 0, 1), phase = slice(linear, 1, 1);
  return {reshaped(amplitude, {bins, frames}), reshaped(phase, {bins, frames})};
}

void ComplexSynthesis::render(const MelWindow& mel, std::int64_t begin, std::int64_t end,
                              float* wave) const {
  const Stft& stft = tables_->stft;
  const std::int64_t hop = config_.hop_length, size = stft.n_fft(), bins = stft.bins();
  const std::int64_t from = std::max<std::int64_t>(0, begin - context());
  const std::int64_t to = std::min(mel.total, end + context());
  const std::int64_t frames = to - from;
  const auto [amplitude, phase] = spectrum(mel, from, to);
  std::vector<float> rows(static_cast<std::size_t>(frames * size));
  std::vector<std::complex<float>> bins_of(static_cast<std::size_t>(bins));
  for (std::int64_t f = 0; f < frames; ++f) {
    for (std::int64_t k = 0; k < bins; ++k) {
      const float loud = amplitude.data[k * frames + f];
      const double angle = double{phase.data[k * frames + f]};
      bins_of[static_cast<std::size_t>(k)] = {loud * static_cast<float>(std::cos(angle)),
                                              loud * static_cast<float>(std::sin(angle))};
    }
    float* const row = rows.data() + f * size;
    stft.fft().inverse(bins_of.data(), row);
    kernels::multiply(row, stft.window().data(), row, size);
  }
  const std::int64_t first = (begin - from) * hop;
  const std::int64_t last = (std::min(end, mel.total - 1) - from) * hop;
  if (last <= first) return;
  stft.overlap_add(rows.data(), frames, first, last, wave);
  const std::vector<float> envelope = stft.envelope(frames);
  kernels::divide(wave, envelope.data() + first, wave, last - first);
}

}  // namespace sda::engine
