// The engine's own kernels against ATen's operators, by way of the backend.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_pinv.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/view_as_complex.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>

#include "engine/device_backend.h"
#include "engine/float_tensor.h"
#include "engine/network/conv_vae.h"
#include "engine/spectrum/griffin_lim.h"
#include "engine/spectrum/spectrogram.h"
#include "engine/test/vocoder_support.h"
#include "libtorch/device.h"
#include "libtorch/tensors.h"
#include "libtorch/torch_backend.h"
#include "libtorch/torch_griffin_lim.h"

namespace sda::libtorch {
namespace {

using engine::FloatTensor;
using engine::noise;
using engine::tensor_of;
using engine::values_of;

// A model whose mel is cropped on both sides, with random weights.
StateDict random_state(const engine::SpectrogramConfig& config,
                       engine::Network network = engine::Network::kSigmoid) {
  StateDict state = engine::make_state(11, config, network);
  std::uint64_t seed = 1;
  for (NamedTensor& tensor : state) {
    auto* const data = reinterpret_cast<float*>(tensor.data);
    if (tensor.name.ends_with(".running_var")) std::fill_n(data, tensor.shape[0], 0.7F);
    if (tensor.shape.size() != 4) continue;
    const std::int64_t count = tensor.shape[0] * tensor.shape[1] * 9;
    const std::vector<float> random = noise(count, seed++);
    std::transform(random.begin(), random.end(), data, [](float value) { return value * 0.1F; });
  }
  return state;
}

at::Tensor copy_of(const FloatTensor& tensor) {
  return view_of(tensor.data.get(), tensor.shape).clone();
}

FloatTensor float_tensor_of(const at::Tensor& tensor) {
  FloatTensor result = engine::make_tensor(tensor.sizes().vec());
  copy_to(result.data.get(), tensor);
  return result;
}

TEST_CASE("the networks are ATen's") {
  using engine::Network;
  engine::SpectrogramConfig config = engine::small_config();
  config.n_mels = 40;
  for (const Network network : {Network::kSigmoid, Network::kSoftplus, Network::kComplex}) {
    CAPTURE(static_cast<int>(network));
    const StateDict state = random_state(config, network);
    const engine::VaeShape shape(network, 11, config);
    const engine::ConvVae own(shape, engine::collect_weights(state, shape));
    const auto other = engine::create_model_on(torch_backend(), shape, config,
                                               engine::collect_weights(state, shape), "cpu");
    CHECK(other->device() == "cpu");
    CHECK(other->byte_size() == own.byte_size());
    const FloatTensor z = tensor_of({3, 11}, noise(33, 70));
    const FloatTensor mel = own.decode(z, {});
    CHECK(other->decode(z, {}).shape == mel.shape);
    const std::vector<float> values = values_of(mel);
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    CHECK(*high - *low > 1e-3);
    CHECK(engine::largest_difference(values_of(other->decode(z, {})), values) < 1e-5);
    const auto encoded = own.encode(mel, {}), expected = other->encode(mel, {});
    CHECK(engine::largest_difference(values_of(encoded.first), values_of(expected.first)) < 1e-4);
    CHECK(engine::largest_difference(values_of(encoded.second), values_of(expected.second)) < 1e-4);
  }
}

TEST_CASE("Griffin-Lim gives ATen's wave") {
  const c10::InferenceMode guard;
  for (const auto& [n_fft, hop] :
       {std::pair{512, 128}, {1024, 256}, {512, 200}, {512, 61}, {512, 50}, {64, 16}, {400, 160}}) {
    CAPTURE(n_fft);
    const engine::Stft stft(n_fft, hop);
    at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{5});
    const at::Tensor magnitude = at::rand({2, stft.bins(), 30}, generator, at::kFloat);
    const at::Tensor phase = at::rand({2, stft.bins(), 30, 2}, generator, at::kFloat);
    const at::Tensor own = copy_of(
        engine::griffin_lim(stft, float_tensor_of(magnitude), float_tensor_of(phase), 64, {}));
    const at::Tensor expected = griffin_lim(stft, magnitude, at::view_as_complex(phase), 64, {});
    CHECK(own.sizes() == expected.sizes());
    const double norms = (own.norm() * expected.norm()).item<double>();
    CHECK((own * expected).sum().item<double>() / norms > 0.9999);
  }
}

TEST_CASE("the mel scale is inverted as ATen's pseudo-inverse does, also where it is clamped") {
  const c10::InferenceMode guard;
  const engine::SpectrogramConfig config;
  const engine::MelScale scale(config);
  const at::Tensor bank = copy_of(tensor_of({128, 1025}, scale.bank()));
  const at::Tensor mels = at::rand({128, 5}, at::kDouble) + 0.5;
  const at::Tensor exact = at::linalg_pinv(bank.to(at::kDouble)).matmul(mels).relu();
  std::vector<float> power(1025 * 5);
  scale.inverse(mels.const_data_ptr<double>(), 1, 5, power.data(), {});
  const at::Tensor found = copy_of(tensor_of({1025, 5}, power));
  CHECK(((found - exact).abs().max() / exact.max()).item<double>() < 1e-5);
}

TEST_CASE("a mel becomes the wave of the engine") {
  for (const double power : {2.0, 1.0}) {
    engine::SpectrogramConfig config = engine::small_config();
    config.power = power;
    const auto tables = engine::SpectralTables::of(config);
    const engine::SpectrogramImpl own(config, 64, tables);
    const engine::SpectrogramImpl other(
        config, 64, tables, engine::DeviceResynthesis(torch_backend(), config, 64, "cpu"));
    CHECK(own.on_cpu());
    CHECK_FALSE(other.on_cpu());
    std::vector<float> values = noise(2 * 32 * 40, 80);
    for (float& value : values) value = std::abs(value);
    const FloatTensor mel = tensor_of({2, 1, 32, 40}, values);
    const std::vector<float> a = values_of(own.mel_to_waveform(mel, 4, {}));
    const std::vector<float> b = values_of(other.mel_to_waveform(mel, 4, {}));
    double product = 0.0, squares_a = 0.0, squares_b = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      product += double{a[i]} * b[i];
      squares_a += double{a[i]} * a[i];
      squares_b += double{b[i]} * b[i];
    }
    CHECK(a.size() == b.size());
    CHECK(product / std::sqrt(squares_a * squares_b) > 0.999);
  }
}

TEST_CASE("the vocoder is ATen's, and its samples are those of a whole mel") {
  const engine::VocoderConfig config = engine::small_vocoder();
  const engine::VocoderWeights weights =
      engine::collect_vocoder(engine::vocoder_state(config), config);
  const engine::HifiGan own(config, weights);
  const auto other = engine::create_vocoder_on(torch_backend(), config, weights, "cpu");
  CHECK(other->context() == own.context());
  CHECK(other->byte_size() == own.byte_size());
  const FloatTensor mel = engine::small_mel(config, 2 * engine::kVocoderWindow + 7);
  const std::vector<float> expected = values_of(engine::render_all(own, mel, {}));
  const std::vector<float> found = values_of(engine::render_all(*other, mel, {}));
  CHECK(engine::largest_difference(found, expected) < 1e-5);
  // In the windows of a stream: the same bits.
  CHECK(engine::in_windows(*other, mel, engine::kVocoderWindow) == found);
  // In others: a window's ends change nothing but the rounding.
  for (const std::int64_t each : {1, 30, 200})
    CHECK(engine::largest_difference(engine::in_windows(*other, mel, each), expected) < 1e-5);
}

TEST_CASE("errors and cancelling cross the interface") {
  const engine::SpectrogramConfig config = engine::small_config();
  const engine::VaeShape shape(engine::Network::kSigmoid, 11, config);
  const StateDict state = random_state(config);
  if (cuda_state().devices == 0) {
    CHECK(engine::throws(ErrorCode::kDevice, "device", "cuda:3",
                         [] { engine::resolve_on(torch_backend(), "cuda:3"); }));
    CHECK(engine::throws(ErrorCode::kDevice, "device", "cuda:0", [&] {
      engine::create_model_on(torch_backend(), shape, config, engine::collect_weights(state, shape),
                              "cuda:0");
    }));
    CHECK(engine::throws(ErrorCode::kDevice, "device", "cuda:0", [&] {
      engine::DeviceResynthesis(torch_backend(), config, 64, "cuda:0");
    }));
  }
  CancelToken cancel;
  cancel.cancel();
  const auto model = engine::create_model_on(torch_backend(), shape, config,
                                             engine::collect_weights(state, shape), "cpu");
  CHECK_THROWS_AS(model->decode(tensor_of({1, 11}, noise(11)), cancel), Cancelled);
  const engine::SpectrogramImpl spectrogram(
      config, 64, engine::SpectralTables::of(config),
      engine::DeviceResynthesis(torch_backend(), config, 64, "cpu"));
  CHECK_THROWS_AS(spectrogram.mel_to_waveform(engine::filled({1, 1, 32, 9}, 0.5F), 0, cancel),
                  Cancelled);
}

TEST_CASE("a network or vocoder that the backend does not know is refused, not computed") {
  const std::vector<engine::Parameter> few(3);
  const engine::backend::NetworkData data = {
      0, 11, {16000, 512, 128, 32, 0, 8000, 2}, few.data(), 3};
  engine::backend::Status status;
  CHECK(torch_backend().create_network(&data, "cpu", &status) == nullptr);
  CHECK(status.outcome == engine::backend::Outcome::kFailed);
  CHECK(static_cast<ErrorCode>(status.code) == ErrorCode::kNative);

  const engine::backend::VocoderLayerData layer = {nullptr, nullptr, 1, 1, 3, 1, 0};
  const std::int64_t block_layers = 2;
  const engine::backend::VocoderData vocoder = {5, 12, 1, &block_layers, 1, &layer, 1};
  CHECK(torch_backend().create_vocoder(&vocoder, "cpu", &status) == nullptr);
  CHECK(static_cast<ErrorCode>(status.code) == ErrorCode::kNative);
}

}  // namespace
}  // namespace sda::libtorch
