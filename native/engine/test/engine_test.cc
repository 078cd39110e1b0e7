// What each part of the engine must compute, against formulas and figures from scipy and torch. No
// files needed: comparisons with the Python program's own sounds are in the TypeScript tests.
#include <ATen/TensorOperators.h>
#include <ATen/ops/_fft_c2c.h>
#include <ATen/ops/_fft_r2c.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/imag.h>
#include <ATen/ops/linalg_pinv.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/real.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/view_as_complex.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/InferenceMode.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <future>
#include <limits>
#include <numbers>

#include "engine/device.h"
#include "engine/generation/finishing.h"
#include "engine/generation/generate_options.h"
#include "engine/generation/generation.h"
#include "engine/generation/latent_path.h"
#include "engine/kernels.h"
#include "engine/network/conv_kernels.h"
#include "engine/network/conv_vae.h"
#include "engine/network/vae_weights.h"
#include "engine/sound/butterworth.h"
#include "engine/sound/joining.h"
#include "engine/sound/pcm.h"
#include "engine/sound/quality.h"
#include "engine/sound/resample.h"
#include "engine/sound/spatial.h"
#include "engine/spectrum/griffin_lim.h"
#include "engine/spectrum/lane_fft.h"
#include "engine/spectrum/mel_scale.h"
#include "engine/spectrum/spectrogram.h"
#include "engine/tensors.h"

namespace sda::engine {
namespace {

int passed = 0;
int failed = 0;

void check(bool holds, const char* what, int line) {
  (holds ? passed : failed) += 1;
  if (!holds) std::fprintf(stderr, "engine_test.cc:%d: %s\n", line, what);
}
#define EXPECT(...) check((__VA_ARGS__), #__VA_ARGS__, __LINE__)

bool near(double a, double b, double tolerance) { return std::abs(a - b) <= tolerance; }

// The Error that `action` throws, by code and by the detail `key`.
template <typename Action>
bool throws(ErrorCode code, const std::string& key, const std::string& value, Action action) {
  try {
    action();
  } catch (const Error& error) {
    if (error.code() != code) return false;
    if (key.empty()) return true;
    for (const auto& [name, detail] : error.details()) {
      if (name == key) return std::get<std::string>(detail) == value;
    }
  }
  return false;
}

SpectrogramConfig small_config() {
  SpectrogramConfig config;
  config.sample_rate = 16000;
  config.n_fft = 512;
  config.hop_length = 128;
  config.n_mels = 32;
  return config;
}

std::vector<float> tone(double frequency, double rate, std::size_t count) {
  std::vector<float> samples(count);
  for (std::size_t i = 0; i < count; ++i) {
    samples[i] = static_cast<float>(
        std::sin(2.0 * std::numbers::pi * frequency * static_cast<double>(i) / rate));
  }
  return samples;
}

// A state dict of random weights with every tensor of a ConvVAE, all zeros but the decoder's head.
StateDict make_state(std::int64_t latent, const SpectrogramConfig& config) {
  const VaeShape shape(latent, config);
  StateDict state;
  const auto add = [&](const std::string& name, std::vector<std::int64_t> extents, float value,
                       DType dtype = DType::kFloat32) {
    std::int64_t count = 1;
    for (std::int64_t extent : extents) count *= extent;
    std::shared_ptr<float[]> data(new float[std::max<std::int64_t>(count, 2)]);
    for (std::int64_t i = 0; i < count; ++i) {
      data[i] = value * std::sin(static_cast<float>(i % 97));
    }
    std::vector<std::int64_t> strides(extents.size(), 1);
    for (std::size_t i = extents.size(); i-- > 1;) strides[i - 1] = strides[i] * extents[i];
    state.push_back(
        {name, dtype, extents, strides, reinterpret_cast<std::byte*>(data.get()), data});
  };
  const auto norm = [&](const std::string& prefix, std::int64_t channels) {
    for (const char* part : {".weight", ".bias", ".running_mean"})
      add(prefix + part, {channels}, 0.3F);
    add(prefix + ".running_var", {channels}, 0.0F);
    add(prefix + ".num_batches_tracked", {}, 0.0F, DType::kInt64);
  };
  const std::int64_t up[] = {1, 32, 64, 128, 256};
  for (int i = 0; i < 4; ++i) {
    const std::string index = std::to_string(4 * i);
    add("encoder.convs." + index + ".weight", {up[i + 1], up[i], 3, 3}, 0.05F);
    add("encoder.convs." + index + ".bias", {up[i + 1]}, 0.05F);
    norm("encoder.convs." + std::to_string(4 * i + 1), up[i + 1]);
    add("decoder.deconvs." + index + ".weight", {up[4 - i], up[3 - i], 3, 3}, 0.05F);
    add("decoder.deconvs." + index + ".bias", {up[3 - i]}, 0.05F);
    if (i < 3) norm("decoder.deconvs." + std::to_string(4 * i + 1), up[3 - i]);
  }
  for (const char* head : {"encoder.fc_mu", "encoder.fc_logvar"}) {
    add(head + std::string(".weight"), {latent, shape.features()}, 0.01F);
    add(head + std::string(".bias"), {latent}, 0.01F);
  }
  add("decoder.fc.weight", {shape.features(), latent}, 0.5F);
  add("decoder.fc.bias", {shape.features()}, 0.5F);
  return state;
}

NamedTensor& named(StateDict& state, const std::string& name) {
  for (NamedTensor& tensor : state) {
    if (tensor.name == name) return tensor;
  }
  std::abort();
}

FloatTensor filled(std::vector<std::int64_t> shape, float value) {
  FloatTensor tensor{std::move(shape), nullptr};
  tensor.data = std::shared_ptr<float[]>(new float[static_cast<std::size_t>(tensor.numel())]);
  std::fill_n(tensor.data.get(), tensor.numel(), value);
  return tensor;
}

void test_mel_scale() {
  const SpectrogramConfig config;
  const MelScale scale(config);
  EXPECT(scale.full_rank());
  const auto mel = [](double hz) { return 2595.0 * std::log10(1.0 + hz / 700.0); };
  const auto hz = [](double m) { return 700.0 * (std::pow(10.0, m / 2595.0) - 1.0); };
  double worst = 0.0;
  const auto bank = scale.bank();
  const float* weights = bank.const_data_ptr<float>();
  for (int m = 0; m < 128; ++m) {
    const double left = hz(mel(24000.0) * m / 129.0);
    const double centre = hz(mel(24000.0) * (m + 1) / 129.0);
    const double right = hz(mel(24000.0) * (m + 2) / 129.0);
    for (int k = 0; k < 1025; ++k) {
      const double f = 24000.0 * k / 1024.0;
      const double expected =
          std::max(0.0, std::min((f - left) / (centre - left), (right - f) / (right - centre)));
      worst = std::max(worst, std::abs(expected - static_cast<double>(weights[m * 1025 + k])));
    }
  }
  EXPECT(worst < 2e-4);  // float32 rounding of the corners

  // An inverse of what a spectrum in the span of the filters gives is that spectrum.
  const at::Tensor mels = at::rand({2, 128, 5}, at::kFloat) + 0.5;
  const at::Tensor inside = bank.t().matmul(mels);
  EXPECT(((scale.inverse(bank.matmul(inside), {}) - inside).abs().max() / inside.max())
             .item<double>() < 1e-4);

  // As near to the exact solution as float32 factors are, also where that is negative before the
  // clamp.
  const at::Tensor exact =
      at::linalg_pinv(bank.to(at::kDouble)).matmul(mels.to(at::kDouble)).relu();
  EXPECT(((scale.inverse(mels, {}) - exact).abs().max() / exact.max()).item<double>() < 1e-5);

  SpectrogramConfig narrow = small_config();
  narrow.n_mels = 128;  // more filters at the low end than bins
  const MelScale deficient(narrow);
  EXPECT(!deficient.full_rank());
  const at::Tensor spectrum = deficient.bank().t().matmul(at::rand({1, 128, 3}) + 0.5);
  const at::Tensor target = deficient.bank().matmul(spectrum);
  EXPECT(
      ((deficient.bank().matmul(deficient.inverse(target, {})) - target).abs().max() / target.max())
          .item<double>() < 1e-4);
}

std::vector<float> low_passed(const std::vector<float>& signal, std::size_t piece, double rate) {
  ZeroPhaseFilter filter(butterworth_low_pass(8, 20000.0, rate));
  std::vector<float> out;
  for (std::size_t at = 0; at < signal.size(); at += piece)
    filter.push(signal.data() + at, std::min(piece, signal.size() - at), out);
  filter.finish(out);
  return out;
}

void test_butterworth() {
  std::vector<float> signal(200);
  for (int i = 0; i < 200; ++i) {
    signal[i] = static_cast<float>(std::sin(0.3 * i) + 0.5 * std::cos(2.9 * i) + 0.1);
  }
  const std::vector<float> filtered = low_passed(signal, signal.size(), 48000.0);
  // scipy.signal.sosfiltfilt(butter(8, 20000/24000, output="sos"), signal)
  const std::pair<int, double> expected[] = {{0, 0.5978779738181043},    {1, 0.03706458700760629},
                                             {50, 0.7512893983508528},   {120, -0.891741848333933},
                                             {198, 0.18025133416973624}, {199, 0.3790501466478783}};
  EXPECT(filtered.size() == signal.size());
  for (const auto& [i, value] : expected) EXPECT(near(filtered[i], value, 2e-6));
  EXPECT(near(low_passed({0.5F}, 1, 48000.0)[0], 0.5, 1e-6));
  EXPECT(low_passed({}, 1, 48000.0).empty());

  // Whatever the pieces and however many blocks: as if the way back began at the very end.
  const at::Tensor noise = at::randn({40000}, at::kFloat);
  const float* const samples = noise.const_data_ptr<float>();
  const std::vector<float> wave(samples, samples + noise.numel());
  for (const double rate : {48000.0, 44100.0, 40050.0}) {
    const std::vector<float> whole = low_passed(wave, wave.size(), rate);
    EXPECT(low_passed(wave, 1000, rate) == whole && low_passed(wave, 7, rate) == whole);
    const std::vector<float> end(wave.begin() + 15000, wave.end());
    const std::vector<float> of_end = low_passed(end, end.size(), rate);
    double worst = 0.0;
    if (rate > 41000.0)
      for (std::size_t i = 4000; i < end.size(); ++i)
        worst = std::max(worst, static_cast<double>(std::abs(of_end[i] - whole[i + 15000])));
    EXPECT(worst < 1e-6);
  }
}

std::vector<float> resampled(const std::vector<float>& signal, std::int64_t from, std::int64_t to,
                             std::size_t piece) {
  Resampler resampler(from, to);
  std::vector<float> out;
  for (std::size_t at = 0; at < signal.size(); at += piece)
    resampler.push(signal.data() + at, std::min(piece, signal.size() - at), out);
  resampler.finish(out);
  return out;
}

void test_resample() {
  EXPECT(resampled(std::vector<float>(47616), 48000, 44100, 47616).size() == 43748);
  EXPECT(resampled(std::vector<float>(101), 16000, 48000, 101).size() == 303);
  for (const auto& [from, to] : {std::pair{48000, 44100}, {16000, 48000}, {48000, 96000}}) {
    const std::vector<float> signal = tone(1000.0, from, 4000);
    const std::vector<float> result = resampled(signal, from, to, signal.size());
    const std::vector<float> wanted = tone(1000.0, to, result.size());
    double worst = 0.0;
    for (std::size_t i = 200; i + 200 < result.size(); ++i) {
      worst = std::max(worst, static_cast<double>(std::abs(result[i] - wanted[i])));
    }
    EXPECT(worst < 5e-3);  // the window's ripple
    for (const std::size_t piece : {1, 13, 999})
      EXPECT(resampled(signal, from, to, piece) == result);
  }
  EXPECT(resampled({1.0F, 2.0F}, 48000, 48000, 1) == std::vector<float>({1.0F, 2.0F}));
}

void test_loudness() {
  const auto run = [](std::vector<Channels> pieces) {
    RunningGain gain(1000);  // holds 10 samples back
    Channels all(pieces[0].size());
    const auto take = [&](const Channels& some) {
      for (std::size_t c = 0; c < some.size(); ++c)
        all[c].insert(all[c].end(), some[c].begin(), some[c].end());
    };
    for (Channels& piece : pieces) {
      gain.process(piece);
      take(piece);
    }
    take(gain.finish());
    return all;
  };
  // As loud as the beginning allows; a louder piece is made softer, on a line that ends before it.
  const Channels made = run({{std::vector<float>(50, 0.25F)},
                             {std::vector<float>(50, 0.5F)},
                             {std::vector<float>(50, 0.1F)}});
  EXPECT(made[0].size() == 150);
  EXPECT(near(made[0][0], 0.891, 1e-6) && near(made[0][39], 0.891, 1e-6));
  EXPECT(near(made[0][49], 0.4455, 1e-6) && made[0][45] < made[0][44]);
  EXPECT(near(made[0][50], 0.891, 1e-6) && near(made[0][149], 0.1782, 1e-6));
  // Silence tells nothing; both channels count, and pieces may be shorter than what is held back.
  const Channels quiet = run({{std::vector<float>(20), std::vector<float>(20)},
                              {std::vector<float>(4, 0.1F), std::vector<float>(4, -0.2F)},
                              {std::vector<float>(3, 0.1F), std::vector<float>(3, 0.1F)}});
  EXPECT(quiet[0].size() == 27 && quiet[0][19] == 0.0F);
  EXPECT(near(quiet[0][20], 0.4455, 1e-6) && near(quiet[1][20], -0.891, 1e-6));

  Channels audio = {{0.1F, -0.5F}, {0.2F, 0.3F}};
  scale_to_peak(audio, peak_of(audio));
  EXPECT(near(audio[0][1], -0.891, 1e-6) && near(audio[1][0], 0.3564, 1e-6));
  audio = {{0.0F, 0.0F}};
  scale_to_peak(audio, peak_of(audio));
  EXPECT(audio[0][0] == 0.0F);
}

at::Tensor row(double a, double b) { return at::tensor({a, b}).to(at::kFloat).unsqueeze(0); }

void test_latent_path() {
  const at::Tensor x = row(2.0, 0.0);
  const at::Tensor y = row(0.0, 4.0);
  const double half = std::numbers::sqrt2 / 2.0;
  EXPECT((slerp(x, y, 0.5) - row(2.0 * half, 4.0 * half)).abs().max().item<double>() < 1e-6);
  EXPECT((slerp(x, x * 3.0, 0.25) - x * 1.5).abs().max().item<double>() < 1e-6);
  EXPECT(interpolate_anchors({x, y, x}, 3).size() == 7);
  EXPECT(interpolate_anchors({x}, 3).size() == 1);
}

std::vector<float> joined(std::int64_t overlap, Joint joint,
                          const std::vector<std::vector<float>>& chunks) {
  Joiner joiner(overlap, joint);
  std::vector<float> audio;
  for (const std::vector<float>& chunk : chunks)
    joiner.append(chunk.data(), static_cast<std::int64_t>(chunk.size()), audio);
  joiner.finish(audio);
  return audio;
}

void test_joining() {
  const std::vector<float> ones(8, 1.0F), zeros(8, 0.0F);
  std::vector<float> audio = joined(4, Joint::kEqualPower, {ones, ones});
  EXPECT(audio.size() == 12);
  for (int i = 4; i < 8; ++i)
    EXPECT(audio[i] >= 1.0F && audio[i] <= std::numbers::sqrt2_v<float> + 1e-6F);

  audio = joined(4, Joint::kPython, {ones, zeros});
  const double hanning[] = {0.0, 0.188255099, 0.611260467, 0.950484434};  // numpy.hanning(8)
  for (int i = 0; i < 4; ++i) EXPECT(near(audio[4 + i], hanning[i], 1e-6));

  // Less than an overlap to share; and none at all.
  EXPECT(joined(4, Joint::kPython, {{1.0F, 1.0F}, ones}).size() == 8);
  EXPECT(joined(0, Joint::kPython, {ones, zeros}).size() == 16);
}

void test_spatial_and_quality() {
  const std::vector<float> mono = tone(440.0, 1000.0, 100);
  const auto spread = [&](SpatialMode mode, double width, double depth, std::size_t piece) {
    Spatialiser spatialiser(mode, width, depth, 1000);
    Channels all;
    for (std::size_t at = 0; at < mono.size(); at += piece) {
      const auto begin = mono.begin() + static_cast<std::ptrdiff_t>(at);
      Channels some(mode == SpatialMode::kDualSeed ? 2 : 1,
                    std::vector<float>(begin, begin + static_cast<std::ptrdiff_t>(piece)));
      spatialiser.process(some);
      all.resize(some.size());
      for (std::size_t c = 0; c < some.size(); ++c)
        all[c].insert(all[c].end(), some[c].begin(), some[c].end());
    }
    return all;
  };
  const Channels wide = spread(SpatialMode::kStereo, 1.0, 0.0, 100);
  EXPECT(near(wide[0][50], mono[50], 1e-6) && near(wide[1][50], mono[35], 1e-6));
  EXPECT(wide[1][0] == 0.0F && spread(SpatialMode::kMono, 1.0, 1.0, 100) == Channels{mono});
  const Channels deep = spread(SpatialMode::kStereo, 1.0, 0.5, 100);
  EXPECT(near(deep[0][60], wide[0][60] + 0.075 * wide[0][40], 1e-6));
  EXPECT(spread(SpatialMode::kStereo, 1.0, 0.5, 5) == deep);
  const Channels dual = spread(SpatialMode::kDualSeed, 0.0, 0.0, 100);  // a depth of 0.3
  EXPECT(near(dual[1][60], mono[60] + 0.045 * mono[48], 1e-6));

  std::vector<std::vector<float>> audio = {std::vector<float>(1000, 0.5F)};
  for (int i = 500; i < 1000; ++i) audio[0][i] = 0.005F;
  EXPECT(near(measure_quality(audio, 1000).snr_db, 40.0, 1e-3));
  audio = {{0.0F, 1.0F, -1.0F, 0.0F, 0.9995F}};
  const Quality clipped = measure_quality(audio, 100);
  EXPECT(clipped.clipped_samples == 3 && clipped.max_consecutive_clipped == 2);
  EXPECT(measure_quality({std::vector<float>(1000, 0.0F)}, 1000).snr_db == 0.0);
}

// With windowing and overlap-add about them, and quarter by quarter: frames to their transforms and
// back to the wave that they add up to.
// Against the plain formula, in doubles; the byte order is the file's.
std::int64_t nearest(float sample, double scale) {
  const double level = std::floor(double{sample} * scale + 0.5);
  return static_cast<std::int64_t>(std::min(std::max(level, -scale), scale - 1));
}

void test_pcm() {
  std::vector<float> samples = {0.0F,  1.0F,     -1.0F,     1.5F,     -1e30F,
                                1e30F, 0x1p-24F, -0x1p-24F, 0x1p-149F};
  for (int i = -40; i <= 40; ++i) {
    // At half a level, and on either side of it.
    for (const float half : {std::ldexp(0.5F, -15), std::ldexp(0.5F, -23)}) {
      const float at = static_cast<float>(i) * half;
      for (const float beside : {-2.0F, at, 2.0F}) samples.push_back(std::nextafter(at, beside));
    }
    samples.push_back(std::sin(static_cast<float>(i * i)));
  }
  std::vector<std::uint8_t> bytes(samples.size() * 4);
  for (const auto format : {PcmFormat::kInt16, PcmFormat::kInt24}) {
    const std::size_t size = bytes_per_sample(format);
    EXPECT(encode_pcm(samples.data(), samples.size(), format, bytes.data()));
    bool all_nearest = true;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const std::int64_t level =
          nearest(samples[i], std::ldexp(1.0, 8 * static_cast<int>(size) - 1));
      for (std::size_t b = 0; b < size; ++b)
        all_nearest &= bytes[i * size + b] == static_cast<std::uint8_t>(level >> (8 * b));
    }
    EXPECT(all_nearest);
  }
  EXPECT(encode_pcm(samples.data(), samples.size(), PcmFormat::kFloat32, bytes.data()));
  EXPECT(std::memcmp(bytes.data(), samples.data(), bytes.size()) == 0);
  for (const float odd : {std::nanf(""), HUGE_VALF, -HUGE_VALF}) {
    samples[20] = odd;
    EXPECT(!encode_pcm(samples.data(), samples.size(), PcmFormat::kInt24, bytes.data()));
  }
}

void test_lane_blocks() {
  const std::int64_t size = 128;
  const LaneFft fft(size);
  const at::Tensor window = at::rand({size}, at::kFloat) + 0.5;
  for (const std::int64_t hop : {32, 64, 40, 27, 128}) {
    const std::int64_t head = size - hop;
    const at::Tensor wave = at::randn({7 * hop + size}, at::kFloat);
    const float* frames[kLanes];
    for (std::int64_t lane = 0; lane < kLanes; ++lane)
      frames[lane] = wave.const_data_ptr<float>() + lane * hop;
    at::Tensor rows = at::empty({size, kLanes}), expected = at::empty({size, kLanes});
    lanes::gather_split(fft, frames, window.const_data_ptr<float>(), rows.data_ptr<float>());
    for (int quarter = 0; quarter < 4; ++quarter)
      fft.forward_quarter(rows.data_ptr<float>(), quarter);
    for (std::int64_t lane = 0; lane < kLanes; ++lane)
      expected.select(1, lane).copy_(wave.narrow(0, lane * hop, size) * window);
    fft.forward(expected.data_ptr<float>());
    EXPECT(at::equal(rows, expected));

    const std::int64_t stride = (head + 15) / 16 * 16;
    at::Tensor heads = at::full({kLanes, stride}, 9.0F), body = at::full({kLanes * hop}, 9.0F);
    for (int quarter = 0; quarter < 4; ++quarter)
      fft.inverse_quarter(rows.data_ptr<float>(), quarter);
    lanes::join_add(fft, rows.const_data_ptr<float>(), window.const_data_ptr<float>(),
                    {hop, head, heads.data_ptr<float>(), stride, body.data_ptr<float>()});
    at::Tensor sum = at::zeros({7 * hop + size});
    for (std::int64_t lane = 0; lane < kLanes; ++lane)
      sum.narrow(0, lane * hop, size)
          .add_(wave.narrow(0, lane * hop, size) * window * window * (size / 2.0));
    EXPECT((body - sum.narrow(0, head, kLanes * hop)).abs().max().item<double>() < 1e-2);
    at::Tensor front = at::zeros({std::max<std::int64_t>(head, 1)});
    for (std::int64_t lane = 0; lane * hop < head; ++lane)
      front.narrow(0, lane * hop, head - lane * hop)
          .add_(heads[lane].narrow(0, lane * hop, head - lane * hop));
    if (head > 0) EXPECT((front - sum.narrow(0, 0, head)).abs().max().item<double>() < 1e-2);
  }
}

// Whole real transforms, against ATen's.
void test_real_transforms() {
  for (const std::int64_t size : {64, 256, 2048}) {
    const LaneFft fft(size);
    const at::Tensor wave = at::randn({kLanes, size}), window = at::rand({size});
    const at::Tensor half_window = window * 0.5;
    const float* frames[kLanes];
    for (std::int64_t lane = 0; lane < kLanes; ++lane)
      frames[lane] = wave.const_data_ptr<float>() + lane * size;
    at::Tensor rows = at::empty({size, kLanes}), spectra = at::empty({fft.bins(), 2, kLanes});
    lanes::real_forward(fft, frames, half_window.const_data_ptr<float>(), rows.data_ptr<float>(),
                        spectra.data_ptr<float>());
    const at::Tensor expected = at::_fft_r2c((wave * window).to(at::kDouble), {1}, 0, true);
    const at::Tensor found = spectra.to(at::kDouble).permute({2, 0, 1}).contiguous();
    EXPECT((at::view_as_complex(found) - expected).abs().max().item<double>() < 1e-4);
  }
}

void test_lane_fft() {
  EXPECT(!LaneFft::fits(32) && LaneFft::fits(64) && LaneFft::fits(2048) && !LaneFft::fits(400));
  for (std::int64_t size = 64; size <= 4096; size *= 2) {
    const LaneFft fft(size);
    const std::int64_t half = size / 2;
    const at::Tensor frames = at::randn({kLanes, size}, at::kFloat);
    // Lane by lane, a complex transform of half the size.
    const at::Tensor expected =
        at::_fft_c2c(at::view_as_complex(frames.view({kLanes, half, 2}).to(at::kDouble)), {1}, 0,
                     /*forward=*/true);
    at::Tensor rows = frames.t().contiguous();
    fft.forward(rows.data_ptr<float>());
    const at::Tensor found = rows.view({half, 2, kLanes});
    double worst = 0.0;
    for (std::int64_t k = 0; k < half; ++k) {
      const at::Tensor row = found[fft.place(k)].to(at::kDouble);
      const at::Tensor wanted = expected.select(1, k);
      worst = std::max(worst, (row[0] - at::real(wanted)).abs().max().item<double>());
      worst = std::max(worst, (row[1] - at::imag(wanted)).abs().max().item<double>());
    }
    EXPECT(worst < 1e-6 * static_cast<double>(size));
    fft.inverse(rows.data_ptr<float>());
    EXPECT((rows / static_cast<double>(half) - frames.t()).abs().max().item<double>() < 1e-5);
  }
  test_lane_blocks();
}

#if defined(__x86_64__)
struct ConvKernels {
  decltype(&kernels::plain::dot) dot;
  decltype(&kernels::plain::transposed_conv_row) row;
  decltype(&kernels::plain::transposed_conv_row_of_one) row_of_one;
};
#define SDA_KERNELS_OF(set) \
  ConvKernels { set::dot, set::transposed_conv_row, set::transposed_conv_row_of_one }

void expect_same_bits(const ConvKernels& plain, const ConvKernels& wide) {
  const std::int64_t inputs = 24, outputs = 64, height = 3, width = 9;
  const at::Tensor x = at::randn({height, width, inputs}), taps = at::randn({9, inputs, outputs});
  const at::Tensor bias = at::randn({outputs}), scale = at::randn({outputs}),
                   shift = at::randn({outputs});
  const kernels::TransposedConv layer{taps.const_data_ptr<float>(),
                                      bias.const_data_ptr<float>(),
                                      scale.const_data_ptr<float>(),
                                      shift.const_data_ptr<float>(),
                                      inputs,
                                      outputs};
  const at::Tensor expected = at::zeros({2 * height, 2 * width, outputs}),
                   found = at::zeros_like(expected);
  const at::Tensor expected_line = at::zeros({2, 2 * width}), line = at::zeros({2, 2 * width});
  for (std::int64_t row = 0; row < height; ++row) {
    const float* const in = x.const_data_ptr<float>();
    plain.row(layer, in, row, height, width, expected.data_ptr<float>());
    wide.row(layer, in, row, height, width, found.data_ptr<float>());
    plain.row_of_one(layer.taps, inputs, in, row, height, width, expected_line.data_ptr<float>());
    wide.row_of_one(layer.taps, inputs, in, row, height, width, line.data_ptr<float>());
    EXPECT(at::equal(expected_line, line));
  }
  EXPECT(at::equal(expected, found) && (expected != 0).any().item<bool>());
  for (std::int64_t count : {1, 7, 8, 21, 64})
    EXPECT(plain.dot(layer.taps, layer.bias, count) == wide.dot(layer.taps, layer.bias, count));
}
#endif

// The kernels for any processor and those for ours must agree to the last bit.
void test_conv_kernels() {
#if defined(__x86_64__)
  const ConvKernels plain = SDA_KERNELS_OF(kernels::plain);
  if (__builtin_cpu_supports("fma")) expect_same_bits(plain, SDA_KERNELS_OF(kernels::fma));
  if (__builtin_cpu_supports("avx512f")) expect_same_bits(plain, SDA_KERNELS_OF(kernels::avx512));
#endif
}

// Our kernels against ATen's, for a model whose mel is cropped on both sides.
void test_decoder() {
  SpectrogramConfig config = small_config();
  config.n_mels = 40;
  StateDict state = make_state(11, config);
  for (NamedTensor& tensor : state) {
    if (tensor.name.ends_with(".running_var"))
      std::fill_n(reinterpret_cast<float*>(tensor.data), tensor.shape[0], 0.7F);
    if (!tensor.name.starts_with("decoder.") || !tensor.name.ends_with(".weight")) continue;
    const at::Tensor random = at::randn(tensor.shape) * (tensor.shape.size() == 4 ? 0.1 : 0.5);
    std::copy_n(random.const_data_ptr<float>(), random.numel(),
                reinterpret_cast<float*>(tensor.data));
  }
  const ConvVae model(state, 11, config, at::kCPU);
  const at::Tensor z = at::randn({3, 11}, at::kFloat);
  const FloatTensor mel = model.decode(to_float_tensor(z), {});
  const at::Tensor expected = model.decode_aten(z, {});
  EXPECT(mel.shape == expected.sizes().vec());
  const at::Tensor found = view_of(mel, {-1, 1, 40, -1}, "mel");
  EXPECT((found - expected).abs().max().item<double>() < 1e-5);
  EXPECT((expected.max() - expected.min()).item<double>() > 0.01);
  // Each item of a batch as if alone.
  const FloatTensor last = model.decode(to_float_tensor(z.narrow(0, 2, 1).contiguous()), {});
  EXPECT(at::equal(view_of(last, {1, 1, 40, -1}, "mel"), found.narrow(0, 2, 1)));
}

// Runs a task on one of the engine's threads, where others may help it.
void on_engine(const std::function<void()>& work) {
  class Once final : public Request {
   public:
    Once(const std::function<void()>& work, std::promise<void>& done)
        : Request(std::make_shared<CancelToken>()), work_(work), done_(done) {}

   protected:
    Next next(Task& task) override {
      if (std::exchange(begun_, true)) return Next::kEnd;
      task = [this] {
        const c10::InferenceMode guard;
        work_();
      };
      return Next::kTask;
    }
    void ended(std::exception_ptr failure) noexcept override {
      failure ? done_.set_exception(failure) : done_.set_value();
    }

   private:
    const std::function<void()>& work_;
    std::promise<void>& done_;
    bool begun_ = false;
  };
  std::promise<void> done;
  Scheduler::shared().start(std::make_shared<Once>(work, done));
  done.get_future().get();
}

Generation generate(const std::shared_ptr<const Model>& model,
                    const std::shared_ptr<const Spectrogram>& spectrogram,
                    const GenerateOptions& options) {
  std::promise<Generation> done;
  GenerationEvents events;
  events.ended = [&](Generation result, std::exception_ptr failure) {
    failure ? done.set_exception(failure) : done.set_value(std::move(result));
  };
  Scheduler::shared().start(make_generation(
      model, spectrogram, options, std::make_shared<CancelToken>(), std::move(events), nullptr));
  return done.get_future().get();
}

void test_griffin_lim() {
  for (const auto& [n_fft, hop] :
       {std::pair{512, 128}, {1024, 256}, {512, 200}, {512, 61}, {512, 50}, {64, 16}, {400, 160}}) {
    const Stft stft(n_fft, hop);
    at::Generator generator = make_cpu_generator(5);
    const at::Tensor magnitude = at::rand({2, stft.bins(), 30}, generator, at::kFloat);
    const at::Tensor phase = at::rand({2, stft.bins(), 30}, generator, at::kComplexFloat);
    const at::Tensor fused = griffin_lim(stft, magnitude, phase, {});
    const at::Tensor plain = griffin_lim_aten(stft, magnitude, phase, {});
    EXPECT(fused.sizes() == plain.sizes() && fused.size(1) == 29 * hop);
    const double norms = (fused.norm() * plain.norm()).item<double>();
    EXPECT((fused * plain).sum().item<double>() / norms > 0.9999);
    for (std::size_t count : {1, 2, 3}) {
      Scheduler::shared().configure({count, 8});
      at::Tensor shared;
      on_engine([&] { shared = griffin_lim(stft, magnitude, phase, {}); });
      EXPECT(at::equal(shared, fused));
    }
  }
  CancelToken cancelled;
  cancelled.cancel();
  bool stopped = false;
  try {
    griffin_lim(Stft(512, 128), at::rand({1, 257, 30}), at::rand({1, 257, 30}, at::kComplexFloat),
                cancelled);
  } catch (const Cancelled&) {
    stopped = true;
  }
  EXPECT(stopped);
}

void test_model() {
  const SpectrogramConfig config = small_config();
  StateDict state = make_state(16, config);
  const auto create = [&] { return Model::create(state, 16, config, "cpu"); };
  const auto refused = [&](const std::string& name) {
    return throws(ErrorCode::kSchema, "tensor", name, create);
  };
  const auto model = create();
  EXPECT(model->has_encoder() && model->device() == "cpu" && model->byte_size() > 0);
  const FloatTensor mel = model->decode(filled({2, 16}, 0.1F), {});
  EXPECT(mel.shape == std::vector<std::int64_t>{2, 1, 32, 126});
  EXPECT(model->encode(mel, {}).first.shape == std::vector<std::int64_t>{2, 16});
  EXPECT(throws(ErrorCode::kArgument, "found", "[2, 15]", [&] {
    model->decode(filled({2, 15}, 0.0F), {});
  }));
  EXPECT(throws(ErrorCode::kArgument, "", "", [&] { model->decode(filled({0, 16}, 0.0F), {}); }));

  const auto spectrogram = Spectrogram::create(config, "cpu");
  GenerateOptions options;
  options.duration_s = 1.5;
  const Generation first = generate(model, spectrogram, options);
  Scheduler::shared().configure({1, 8});
  const Generation other = generate(model, spectrogram, options);
  EXPECT(first.audio == other.audio && first.audio[0].size() == 72000);
  EXPECT(audio_format(*model, *spectrogram, options).frames == 72000);

  StateDict extra = state;
  std::swap(extra, state);
  state.push_back(state.back());
  EXPECT(refused(state.back().name));
  state.back().name = "decoder.more";
  EXPECT(refused("decoder.more"));
  state = extra;
  named(state, "decoder.fc.bias").shape = {3};
  EXPECT(refused("decoder.fc.bias"));
  state = extra;
  named(state, "decoder.fc.bias").dtype = DType::kInt32;
  EXPECT(refused("decoder.fc.bias"));
  state = extra;
  std::erase_if(state, [](const NamedTensor& t) { return t.name == "encoder.fc_logvar.bias"; });
  EXPECT(refused("encoder.fc_logvar.bias"));
  state = extra;
  std::erase_if(state, [](const NamedTensor& t) { return t.name.starts_with("encoder.fc"); });
  const auto decoder = create();
  EXPECT(!decoder->has_encoder());
  EXPECT(throws(ErrorCode::kSchema, "", "", [&] { decoder->encode(mel, {}); }));

  state = extra;
  const NamedTensor bias = named(state, "decoder.fc.bias");
  const auto nan = std::numeric_limits<float>::quiet_NaN();
  std::fill_n(reinterpret_cast<float*>(bias.data), bias.shape[0], nan);
  EXPECT(throws(ErrorCode::kSchema, "", "", [&] { generate(create(), spectrogram, options); }));
}

void test_arguments() {
  const auto refused = [](const std::string& name, auto change) {
    GenerateOptions options;
    change(options);
    return throws(ErrorCode::kArgument, "option", name, [&] { check_options(options, 4); });
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (double bad : {nan, 0.0, -1.0, 60.001}) {
    EXPECT(refused("duration_s", [&](auto& o) { o.duration_s = bad; }));
  }
  EXPECT(refused("latent", [](auto& o) { o.latent = std::vector<float>(3); }));
  EXPECT(refused("latent",
                 [&](auto& o) { o.latent = std::vector<float>(4, static_cast<float>(nan)); }));
  EXPECT(refused("sample_rate", [](auto& o) { o.sample_rate = 22050; }));
  EXPECT(refused("steps_between", [](auto& o) { o.steps_between = 0; }));
  EXPECT(refused("overlap_samples", [](auto& o) { o.overlap_samples = -1; }));
  EXPECT(refused("width", [](auto& o) { o.width = 1.6; }));
  EXPECT(refused("depth", [&](auto& o) { o.depth = nan; }));

  const auto config_refused = [](const std::string& name, auto change) {
    SpectrogramConfig config;
    change(config);
    return throws(ErrorCode::kSchema, "field", name, [&] { Spectrogram::create(config, "cpu"); });
  };
  EXPECT(config_refused("n_fft", [](auto& c) { c.n_fft = std::int64_t{1} << 40; }));
  EXPECT(config_refused("n_fft", [](auto& c) { c.n_fft = 511; }));
  EXPECT(config_refused("hop_length", [](auto& c) { c.hop_length = 0; }));
  EXPECT(config_refused("n_mels", [](auto& c) { c.n_mels = -1; }));
  EXPECT(config_refused("sample_rate", [](auto& c) { c.sample_rate = 0; }));
  EXPECT(config_refused("f_max", [](auto& c) { c.f_max = 0.0; }));
  EXPECT(config_refused("power", [&](auto& c) { c.power = nan; }));

  const auto spectrogram = Spectrogram::create(small_config(), "cpu");
  EXPECT(throws(ErrorCode::kArgument, "", "", [&] {
    spectrogram->mel_to_waveform(filled({1, 1, 32, 2}, 0.0F), 0, {});
  }));
  EXPECT(throws(ErrorCode::kArgument, "", "", [&] {
    spectrogram->waveform_to_mel(filled({1, 1, 256}, 0.0F), {});
  }));
  EXPECT(throws(ErrorCode::kArgument, "option", "mel", [&] {
    spectrogram->mel_to_waveform(filled({1, 1, 32, 9}, static_cast<float>(nan)), 0, {});
  }));

  // Every value of the sigmoid as the C library has it, and what isn't one stays so.
  const std::vector<float> logits = {-800.0F, -30.0F, -1.5F,  0.0F,
                                     0.7F,    20.0F,  800.0F, static_cast<float>(nan)};
  std::vector<float> found(logits.size());
  kernels::sigmoid(logits.data(), 0.25F, found.data(), static_cast<std::int64_t>(logits.size()));
  for (std::size_t i = 0; i + 1 < logits.size(); ++i)
    EXPECT(found[i] == static_cast<float>(1.0 / (1.0 + std::exp(-double{logits[i] + 0.25F}))));
  EXPECT(std::isnan(found.back()));

  EXPECT(resolve_device("cpu") == "cpu");
  for (const char* text : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1 "}) {
    EXPECT(throws(ErrorCode::kArgument, "option", "device", [&] { resolve_device(text); }));
  }
  if (cuda_state().devices == 0) {
    EXPECT(throws(ErrorCode::kDevice, "device", "cuda:1", [] { resolve_device("cuda:1"); }));
  }
}

}  // namespace

int run() {
  test_mel_scale();
  test_butterworth();
  test_resample();
  test_loudness();
  test_latent_path();
  test_joining();
  test_spatial_and_quality();
  test_pcm();
  test_lane_fft();
  test_real_transforms();
  test_conv_kernels();
  test_decoder();
  test_griffin_lim();
  test_model();
  test_arguments();
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace sda::engine

int main() {
  const c10::InferenceMode guard;
  return sda::engine::run();
}
