#include "engine/spectrum/spectrogram.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <utility>
#include <vector>

#include "checkpoint/error.h"
#include "engine/float_tensor.h"
#include "engine/kernels.h"
#include "engine/random/torch_random.h"
#include "engine/spectrum/griffin_lim.h"
#include "engine/spectrum/lane_fft.h"
#include "engine/threads/parallel.h"

namespace sda::engine {
namespace {

// The most elements of a buffer that one call may allocate (8 GiB of float32).
constexpr std::int64_t kMaxElements = std::int64_t{1} << 31;

// Above this value, the spectrum and its sums overflow float32.
constexpr float kLargestMel = 80.0F;

}  // namespace

void check_work(std::int64_t items, std::int64_t frames, std::int64_t n_fft) {
  if (frames <= kMaxElements / n_fft && items <= kMaxElements / n_fft / frames) return;
  throw Error(ErrorCode::kLimit, "too much work for one call: " + std::to_string(items) + " × " +
                                     std::to_string(frames) + " frames of " +
                                     std::to_string(n_fft) + " samples");
}

SpectrogramImpl::SpectrogramImpl(const SpectrogramConfig& config, int iterations,
                                 std::shared_ptr<const SpectralTables> tables,
                                 std::optional<DeviceResynthesis> device)
    : config_(config),
      iterations_(iterations),
      tables_(std::move(tables)),
      device_(std::move(device)),
      stft_(tables_->stft),
      mel_scale_(tables_->mel_scale) {}

void SpectrogramImpl::raise_to_power(std::vector<float>& power) const {
  if (config_.power == 2.0) return;
  for (float& value : power) value = std::pow(value, static_cast<float>(config_.power / 2.0));
}

// Analyses frames [first, first + count) of a wave into their columns of the mel.
void SpectrogramImpl::analyse_block(const float* wave, std::int64_t samples, std::int64_t first,
                                    std::int64_t count, float* mel, std::int64_t mel_stride) const {
  const LaneFft& fft = *stft_.lane_fft();
  std::vector<float> edges(static_cast<std::size_t>(kLanes * fft.size()));
  std::vector<float> rows(static_cast<std::size_t>(kLanes * fft.size()));
  std::vector<float> spectra(static_cast<std::size_t>(2 * kLanes * fft.bins()));
  std::vector<float> power(static_cast<std::size_t>(kLanes * fft.bins()));
  std::vector<float> columns(static_cast<std::size_t>(kLanes * config_.n_mels));
  const float* frames[kLanes];
  for (std::int64_t lane = 0; lane < kLanes; ++lane) {
    float* const edge = edges.data() + lane * fft.size();
    frames[lane] = lane < count ? stft_.frame_of(wave, samples, first + lane, edge) : edge;
  }
  lanes::real_forward(fft, frames, stft_.half_window().data(), rows.data(), spectra.data());
  kernels::squared_magnitude_lanes(spectra.data(), power.data(), fft.bins());
  raise_to_power(power);
  mel_scale_.forward_lanes(power.data(), columns.data());
  for (std::int64_t m = 0; m < config_.n_mels; ++m)
    for (std::int64_t lane = 0; lane < count; ++lane)
      mel[m * mel_stride + lane] = columns[static_cast<std::size_t>(m * kLanes + lane)];
}

// Analyses one frame of any size.
void SpectrogramImpl::analyse_frame(const float* wave, std::int64_t samples, std::int64_t index,
                                    float* mel, std::int64_t mel_stride) const {
  std::vector<float> frame(static_cast<std::size_t>(stft_.n_fft()));
  std::vector<std::complex<float>> spectrum(static_cast<std::size_t>(stft_.bins()));
  std::vector<float> power(static_cast<std::size_t>(stft_.bins()));
  stft_.take_frame(wave, samples, index, frame.data());
  stft_.fft().forward(frame.data(), spectrum.data());
  kernels::squared_magnitude(spectrum.data(), power.data(), stft_.bins());
  raise_to_power(power);
  mel_scale_.forward(power.data(), mel, mel_stride);
}

FloatTensor SpectrogramImpl::waveform_to_mel(const FloatTensor& waveform,
                                             const CancelToken& cancel) const {
  check_shape(waveform, {-1, 1, -1}, "waveform");
  const std::int64_t items = waveform.shape[0], samples = waveform.shape[2];
  stft_.check_reflection(samples);
  const std::int64_t frames = samples / stft_.hop() + 1;
  check_work(items, frames, config_.n_mels);

  FloatTensor mel = make_tensor({items, 1, config_.n_mels, frames});
  float* const mel_data = mel.data.get();
  const float* const wave_data = waveform.data.get();
  const auto item_wave = [&](std::int64_t item) { return wave_data + item * samples; };
  const auto item_mel = [&](std::int64_t item) {
    return mel_data + item * config_.n_mels * frames;
  };
  if (stft_.lane_fft()) {
    const std::int64_t blocks = (frames + kLanes - 1) / kLanes;
    parallel_for(items * blocks, [&](std::int64_t block) {
      if (cancel.cancelled()) return;
      const std::int64_t first = block % blocks * kLanes;
      analyse_block(item_wave(block / blocks), samples, first, std::min(kLanes, frames - first),
                    item_mel(block / blocks) + first, frames);
    });
  } else {
    parallel_for(items * frames, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end && !cancel.cancelled(); ++row)
        analyse_frame(item_wave(row / frames), samples, row % frames,
                      item_mel(row / frames) + row % frames, frames);
    });
  }
  cancel.throw_if_cancelled();
  parallel_for(mel.numel(), 4096, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      mel_data[i] = static_cast<float>(std::log1p(double{mel_data[i]}));
  });
  return mel;
}

FloatTensor SpectrogramImpl::magnitude_of(const FloatTensor& mel, const CancelToken& cancel) const {
  const std::int64_t items = mel.shape[0], frames = mel.shape[3];
  std::vector<double> power(static_cast<std::size_t>(mel.numel()));
  parallel_for(mel.numel(), 2048, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const float loud = std::max(0.0F, mel.data[i]);
      power[static_cast<std::size_t>(i)] = static_cast<float>(std::expm1(double{loud}));
    }
  });
  FloatTensor magnitude = make_tensor({items, stft_.bins(), frames});
  mel_scale_.inverse(power.data(), items, frames, magnitude.data.get(), cancel);
  parallel_for(magnitude.numel(), 8192, [&](std::int64_t begin, std::int64_t end) {
    float* const values = magnitude.data.get() + begin;
    if (config_.power == 2.0) return kernels::square_root(values, end - begin);
    const auto exponent = static_cast<float>(1.0 / config_.power);
    for (std::int64_t i = 0; i < end - begin; ++i) values[i] = std::pow(values[i], exponent);
  });
  return magnitude;
}

FloatTensor SpectrogramImpl::rebuild(const FloatTensor& mel, const FloatTensor& phases,
                                     const CancelToken& cancel,
                                     const std::function<void()>& iterated) const {
  if (device_) return device_->rebuild(mel, phases, cancel);
  const FloatTensor magnitude = magnitude_of(mel, cancel);
  cancel.throw_if_cancelled();
  return griffin_lim(stft_, magnitude, phases, iterations_, cancel, iterated);
}

void check_mel_values(const FloatTensor& mel) {
  const float* const values = mel.data.get();
  const std::int64_t count = mel.numel();
  if (!std::all_of(values, values + count, [](float value) { return std::isfinite(value); }))
    bad_argument("mel", "mel holds a value that is not finite");
  if (*std::max_element(values, values + count) > kLargestMel)
    bad_argument("mel", "mel holds a value above 80, too large for the logarithm of a spectrum");
}

FloatTensor SpectrogramImpl::mel_to_waveform(const FloatTensor& mel, std::uint64_t seed,
                                             const CancelToken& cancel) const {
  check_shape(mel, {-1, 1, config_.n_mels, -1}, "mel");
  const std::int64_t items = mel.shape[0], frames = mel.shape[3];
  check_work(items, frames, stft_.n_fft());
  stft_.check_reflection(stft_.samples(frames));
  check_mel_values(mel);
  // Always drawn on the CPU, so that a seed gives the same sound on every device.
  FloatTensor phases = make_tensor({items, stft_.bins(), frames, 2});
  TorchRandom(seed).rand({phases.data.get(), static_cast<std::size_t>(phases.numel())});
  const FloatTensor wave = rebuild(mel, phases, cancel);
  return reshaped(wave, {items, 1, wave.shape[1]});
}

}  // namespace sda::engine
