#include <cmath>
#include <complex>

#include "engine/kernels.h"
#include "engine/multiversion.h"
#include "engine/test/vocoder_support.h"
#include "engine/vocoder/complex_synthesis.h"
#include "engine/vocoder/conv1d_kernels.h"
#include "os/cpu_features.h"

namespace sda::engine {
namespace {

// Rows of samples in double precision.
using Rows = std::vector<std::vector<double>>;

Rows leaky(Rows rows, double slope) {
  for (auto& row : rows)
    for (double& value : row) value = value < 0.0 ? value * slope : value;
  return rows;
}

double at(const std::vector<double>& row, std::int64_t i) {
  return i < 0 || i >= static_cast<std::int64_t>(row.size()) ? 0.0
                                                             : row[static_cast<std::size_t>(i)];
}

Rows convolved(const Rows& x, const VocoderLayer& layer, std::int64_t dilation) {
  const std::int64_t outputs = layer.shape[0], inputs = layer.shape[1], width = layer.shape[2];
  const auto length = static_cast<std::int64_t>(x[0].size());
  Rows y;
  for (std::int64_t o = 0; o < outputs; ++o) {
    std::vector<double>& row = y.emplace_back(x[0].size(), double{layer.bias[o]});
    for (std::int64_t i = 0; i < inputs; ++i)
      for (std::int64_t k = 0; k < width; ++k)
        for (std::int64_t t = 0; t < length; ++t)
          row[t] += double{layer.weight[(o * inputs + i) * width + k]} *
                    at(x[i], t + (k - (width - 1) / 2) * dilation);
  }
  return y;
}

Rows upsampled(const Rows& x, const VocoderLayer& layer, std::int64_t rate) {
  const std::int64_t inputs = layer.shape[0], outputs = layer.shape[1], width = layer.shape[2];
  const auto length = static_cast<std::int64_t>(x[0].size());
  Rows y(outputs, std::vector<double>(length * rate));
  for (std::int64_t o = 0; o < outputs; ++o) {
    std::fill(y[o].begin(), y[o].end(), double{layer.bias[o]});
    for (std::int64_t i = 0; i < inputs; ++i)
      for (std::int64_t t = 0; t < length; ++t)
        for (std::int64_t k = 0; k < width; ++k) {
          const std::int64_t to = t * rate + k - (width - rate) / 2;
          if (to >= 0 && to < length * rate)
            y[o][to] += double{layer.weight[(i * outputs + o) * width + k]} * x[i][t];
        }
  }
  return y;
}

std::vector<double> by_the_formula(const VocoderConfig& config, const VocoderWeights& weights,
                                   const FloatTensor& mel) {
  Rows x(config.num_mels);
  const std::int64_t frames = mel.shape[3];
  for (std::int64_t m = 0; m < config.num_mels; ++m)
    for (std::int64_t t = 0; t < frames; ++t)
      x[m].push_back(std::expm1(std::max(0.0, double{mel.data[m * frames + t]})));
  x = convolved(x, weights.pre, 1);
  const std::size_t kernels = config.resblock_kernel_sizes.size();
  for (std::size_t s = 0; s < weights.ups.size(); ++s) {
    x = upsampled(leaky(x, 0.1), weights.ups[s], config.upsample_rates[s]);
    Rows sum(x.size(), std::vector<double>(x[0].size()));
    for (std::size_t k = 0; k < kernels; ++k) {
      Rows y = x;
      const auto& layers = weights.blocks[s * kernels + k];
      for (std::size_t l = 0; l < layers.size(); l += 2) {
        Rows z = convolved(leaky(y, 0.1), layers[l], config.resblock_dilations[k][l / 2]);
        z = convolved(leaky(z, 0.1), layers[l + 1], 1);
        for (std::size_t c = 0; c < y.size(); ++c)
          for (std::size_t t = 0; t < y[c].size(); ++t) y[c][t] += z[c][t];
      }
      for (std::size_t c = 0; c < y.size(); ++c)
        for (std::size_t t = 0; t < y[c].size(); ++t)
          sum[c][t] += y[c][t] / static_cast<double>(kernels);
    }
    x = std::move(sum);
  }
  std::vector<double> wave = convolved(leaky(x, 0.01), weights.post, 1)[0];
  for (double& sample : wave) sample = std::tanh(sample);
  return wave;
}

TEST_CASE("HiFi-GAN is that of the formula") {
  const VocoderConfig config = small_vocoder();
  const VocoderWeights weights = collect_vocoder(vocoder_state(config), config);
  const HifiGan vocoder(config, weights);
  const FloatTensor mel = small_mel(config, 61);
  const FloatTensor wave = render_all(vocoder, mel, {});
  const std::vector<double> expected = by_the_formula(config, weights, mel);
  CHECK(wave.shape == std::vector<std::int64_t>{1, 1, 61 * 12});
  CHECK(largest_difference(values_of(wave), expected) < 1e-5);
  const auto [low, high] = std::minmax_element(expected.begin(), expected.end());
  CHECK(*high - *low > 0.1);
}

TEST_CASE("a vocoder's samples do not depend on the windows") {
  const VocoderConfig config = small_vocoder();
  const HifiGan vocoder(config, collect_vocoder(vocoder_state(config), config));
  const FloatTensor mel = small_mel(config, 61);
  const std::vector<float> whole = values_of(render_all(vocoder, mel, {}));
  for (const std::int64_t each : {1, 7, 30, 61}) CHECK(in_windows(vocoder, mel, each) == whole);
}

TEST_CASE("a complex model's samples do not depend on the windows") {
  SpectrogramConfig config;
  config.sample_rate = 8000;
  config.n_fft = 256;
  config.hop_length = 64;
  config.n_mels = 20;
  const ComplexSynthesis synthesis(config, ComplexStats{1.0, 0.5, 0.1, 0.3});
  FloatTensor mel = tensor_of({1, 2, 20, 33}, numbers(2 * 20 * 33, 4));
  const std::vector<float> whole = values_of(render_all(synthesis, mel, {}));
  CHECK(whole.size() == 32 * 64);
  std::vector<double> state;
  // Frames that come bit by bit are prepared as all at once.
  for (std::int64_t at = 0; at < 33; at += 11)
    synthesis.prepare(mel.data.get() + at, 33, 11, state);
  for (const std::int64_t each : {1, 5, 33}) CHECK(in_windows(synthesis, mel, each) == whole);
}

TEST_CASE("the versions of a convolution give the same bits") {
  const std::int64_t inputs = 5, width = 3, dilation = 4, count = 101, stride = 256;
  const std::vector<float> taps = numbers(2 * 4 * inputs * width, 1), bias = numbers(8, 2);
  const std::vector<float> x = numbers(static_cast<std::size_t>(inputs * stride), 3);
  const std::vector<float> rest = numbers(static_cast<std::size_t>(8 * stride), 5);
  const kernels::Conv1d layer{taps.data(), bias.data(), inputs, 8, width, dilation};
  using kernels::Finish;
  for (const Finish what : {Finish::kStore, Finish::kLeaky, Finish::kResidual, Finish::kFirstMean,
                            Finish::kMean, Finish::kLastMean, Finish::kOnlyMean}) {
    const auto run = [&](auto* convolve) {
      std::vector<float> out(static_cast<std::size_t>(8 * stride), 0.25F), other = out;
      kernels::Conv1dFinish finish{what, 0.1F, 3.0F, rest.data(), stride, other.data(), stride};
      convolve(layer, x.data(), stride, count, 7, out.data(), stride, finish);
      out.insert(out.end(), other.begin(), other.end());
      return out;
    };
    const std::vector<float> expected = run(kernels::plain::conv1d);
    // Nothing is written beside the wanted samples and rows.
    CHECK(expected[static_cast<std::size_t>(count)] == 0.25F);
    CHECK(expected[static_cast<std::size_t>(7 * stride)] == 0.25F);
    CHECK(run(kernels::conv1d) == expected);
#if defined(__x86_64__)
    if (has_avx2()) CHECK(run(kernels::fma::conv1d) == expected);
    if (os::cpu_features().avx512f) CHECK(run(kernels::avx512::conv1d) == expected);
#endif
  }
}

TEST_CASE("the elementwise functions are those of the C library") {
  std::vector<float> x = {-800.0F, -30.0F, -1.0F, -1e-6F, 0.0F, 1e-6F,
                          0.5F,    3.0F,   19.9F, 20.1F,  60.0F};
  const auto count = static_cast<std::int64_t>(x.size());
  std::vector<float> out(x.size());
  const auto check = [&](auto expected) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double wanted = expected(double{x[i]});
      CHECK(std::abs(out[i] - wanted) <= 6.1e-8 * std::abs(wanted) + 1e-40);
    }
  };
  kernels::softplus(x.data(), 0.0F, out.data(), count);
  check([](double v) { return v > 20.0 ? v : std::log1p(std::exp(v)); });
  kernels::tanh(x.data(), 0.0F, out.data(), count);
  check([](double v) { return std::tanh(v); });
  kernels::expm1_positive(x.data(), out.data(), count);
  check([](double v) { return std::expm1(std::max(0.0, v)); });
}

TEST_CASE("vocoder configs and tensors that do not fit are refused") {
  const auto refused = [](const std::string& field, auto change) {
    VocoderConfig config = small_vocoder();
    change(config);
    return throws(ErrorCode::kSchema, "field", "vocoder_state.config." + field,
                  [&] { check_vocoder_config(config); });
  };
  CHECK(refused("upsample_rates", [](auto& c) { c.hop_length = 13; }));
  CHECK(refused("upsample_rates", [](auto& c) { c.upsample_rates = {}; }));
  CHECK(refused("upsample_rates", [](auto& c) { c.upsample_rates = {3, 0, 2}; }));
  CHECK(refused("upsample_kernel_sizes", [](auto& c) { c.upsample_kernel_sizes = {7, 4}; }));
  CHECK(refused("upsample_kernel_sizes", [](auto& c) { c.upsample_kernel_sizes = {6, 4, 2}; }));
  CHECK(refused("upsample_initial_channel", [](auto& c) { c.upsample_initial_channel = 12; }));
  CHECK(refused("resblock_kernel_sizes", [](auto& c) { c.resblock_kernel_sizes = {3, 4}; }));
  CHECK(refused("resblock_dilation_sizes", [](auto& c) { c.resblock_dilations.pop_back(); }));
  CHECK(refused("resblock_dilation_sizes", [](auto& c) { c.resblock_dilations[0] = {0}; }));

  const VocoderConfig config = small_vocoder();
  const std::string prefix = "vocoder_state.generator_state_dict.";
  const auto refused_tensor = [&](const std::string& name, auto change) {
    StateDict state = vocoder_state(config);
    change(state);
    return throws(ErrorCode::kSchema, "tensor", prefix + name,
                  [&] { collect_vocoder(state, config); });
  };
  CHECK(refused_tensor("conv_post.bias", [](auto& s) {
    std::erase_if(s, [](const NamedTensor& t) { return t.name == "conv_post.bias"; });
  }));
  CHECK(refused_tensor("ups.1.weight_v", [](auto& s) { named(s, "ups.1.weight_v").shape[2] = 5; }));
  CHECK(refused_tensor("more", [](auto& s) {
    s.push_back(s.front());
    s.back().name = "more";
  }));
}

}  // namespace
}  // namespace sda::engine
