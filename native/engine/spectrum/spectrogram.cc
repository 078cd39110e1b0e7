#include "engine/spectrum/spectrogram.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/log1p.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/rand.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <vector>

#include "engine/kernels.h"
#include "engine/spectrum/griffin_lim.h"
#include "engine/spectrum/lane_fft.h"
#include "engine/tensors.h"
#include "engine/threads/parallel.h"

namespace sda::engine {
namespace {

// The most elements of a buffer that one call may allocate (8 GiB of float32).
constexpr std::int64_t kMaxElements = std::int64_t{1} << 31;

// Above this value, the spectrum and its sums overflow float32.
constexpr float kLargestMel = 80.0F;

void check_work(std::int64_t items, std::int64_t frames, std::int64_t n_fft) {
  if (frames <= kMaxElements / n_fft && items <= kMaxElements / n_fft / frames) return;
  throw Error(ErrorCode::kLimit, "too much work for one call: " + std::to_string(items) + " × " +
                                     std::to_string(frames) + " frames of " +
                                     std::to_string(n_fft) + " samples");
}

}  // namespace

at::Generator make_cpu_generator(std::uint64_t seed) {
  return at::make_generator<at::CPUGeneratorImpl>(seed);
}

SpectrogramImpl::SpectrogramImpl(const SpectrogramConfig& config, at::Device device)
    : config_(config),
      device_(device),
      tables_(SpectralTables::of(config)),
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
  c10::InferenceMode guard;
  const at::Tensor wave = view_of(waveform, {-1, 1, -1}, "waveform");
  const std::int64_t items = wave.size(0);
  const std::int64_t samples = wave.size(2);
  stft_.check_reflection(samples);
  const std::int64_t frames = samples / stft_.hop() + 1;
  check_work(items, frames, config_.n_mels);

  at::Tensor mel = at::empty({items, 1, config_.n_mels, frames}, at::kFloat);
  float* mel_data = mel.data_ptr<float>();
  const float* wave_data = wave.const_data_ptr<float>();
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
  return to_float_tensor(mel.log1p_());
}

at::Tensor SpectrogramImpl::magnitude_of(const at::Tensor& mel, const CancelToken& cancel) const {
  // The exponential is in double precision: ATen's float32 one differs between processors.
  at::Tensor magnitude =
      mel_scale_.inverse(mel.clamp_min(0).to(at::kDouble).expm1_().to(at::kFloat), cancel);
  return config_.power == 2.0 ? magnitude.sqrt_() : magnitude.pow_(1.0 / config_.power);
}

at::Tensor SpectrogramImpl::rebuild(const at::Tensor& mel, const at::Tensor& phases,
                                    const CancelToken& cancel) const {
  // Metal has no double precision.
  const at::Tensor magnitude = magnitude_of(device_.is_mps() ? mel.cpu() : mel, cancel).to(device_);
  cancel.throw_if_cancelled();
  if (device_.is_cpu()) return griffin_lim(stft_, magnitude, phases, cancel);
  // The copy from pinned memory runs while the device computes the spectrum.
  const at::Tensor first =
      device_.is_cuda() ? phases.pin_memory().to(device_, true) : phases.to(device_);
  return griffin_lim_aten(stft_, magnitude, first, cancel).cpu();
}

FloatTensor SpectrogramImpl::mel_to_waveform(const FloatTensor& mel, std::uint64_t seed,
                                             const CancelToken& cancel) const {
  const c10::InferenceMode guard;
  const at::Tensor input = view_of(mel, {-1, 1, config_.n_mels, -1}, "mel").squeeze(1);
  const std::int64_t items = input.size(0), frames = input.size(2);
  check_work(items, frames, stft_.n_fft());
  stft_.check_reflection(stft_.samples(frames));
  if (!at::isfinite(input).all().item<bool>())
    bad_argument("mel", "mel holds a value that is not finite");
  if (input.max().item<float>() > kLargestMel)
    bad_argument("mel", "mel holds a value above 80, too large for the logarithm of a spectrum");
  // Always drawn on the CPU, so that a seed gives the same sound on every device.
  at::Generator generator = make_cpu_generator(seed);
  const at::Tensor phases = at::rand({items, stft_.bins(), frames}, generator, at::kComplexFloat);
  return to_float_tensor(rebuild(input.to(device_), phases, cancel).unsqueeze(1));
}

}  // namespace sda::engine
