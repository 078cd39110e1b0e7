// Helpers that the tests of the engine and of native/libtorch share. Include it after ATen's
// headers.
#pragma once

// ATen may define a macro of this name for its own assertions.
#undef CHECK
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <future>
#include <memory>
#include <numbers>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "checkpoint/error.h"
#include "checkpoint/state_dict.h"
#include "engine/engine.h"
#include "engine/network/vae_weights.h"
#include "engine/random/torch_random.h"
#include "engine/threads/scheduler.h"

namespace sda::engine {

// The result of a request that has been started. Where the scheduler has no threads, this thread
// does the work.
template <typename T>
T result_of(std::promise<T>& done) {
  while (Scheduler::shared().take_turn()) {
  }
  return done.get_future().get();
}

inline bool near(double a, double b, double tolerance) { return std::abs(a - b) <= tolerance; }

// Whether `action` throws an Error of this code and, unless `key` is empty, with this detail.
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

inline SpectrogramConfig small_config() {
  SpectrogramConfig config;
  config.sample_rate = 16000;
  config.n_fft = 512;
  config.hop_length = 128;
  config.n_mels = 32;
  return config;
}

inline std::vector<float> tone(double frequency, double rate, std::size_t count) {
  std::vector<float> samples(count);
  for (std::size_t i = 0; i < count; ++i) {
    samples[i] = static_cast<float>(
        std::sin(2.0 * std::numbers::pi * frequency * static_cast<double>(i) / rate));
  }
  return samples;
}

// Normal noise; the same for the same seed.
inline std::vector<float> noise(std::int64_t count, std::uint64_t seed = 1) {
  std::vector<float> values(static_cast<std::size_t>(count));
  TorchRandom(seed).randn(values);
  return values;
}

// The largest difference of two lists of equal length.
template <typename A, typename B>
double largest_difference(const A& a, const B& b) {
  double worst = a.size() == b.size() ? 0.0 : HUGE_VAL;
  for (std::size_t i = 0; i < std::min<std::size_t>(a.size(), b.size()); ++i)
    worst = std::max(worst, static_cast<double>(std::abs(a[i] - b[i])));
  return worst;
}

inline std::vector<float> values_of(const FloatTensor& tensor) {
  return {tensor.data.get(), tensor.data.get() + tensor.numel()};
}

// A tensor of these values.
inline FloatTensor tensor_of(std::vector<std::int64_t> shape, const std::vector<float>& values) {
  FloatTensor tensor{std::move(shape), nullptr};
  tensor.data = std::shared_ptr<float[]>(new float[values.size()]);
  std::copy(values.begin(), values.end(), tensor.data.get());
  return tensor;
}

// A state dict with every tensor of a ConvVAE. The weights are a sine wave; each running variance
// is 0.
inline StateDict make_state(std::int64_t latent, const SpectrogramConfig& config,
                            Network network = Network::kSigmoid) {
  const VaeShape shape(network, latent, config);
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
  const std::int64_t layers = shape.layers;
  const auto channels = [&](std::int64_t layer) { return shape.layer_channels(layer); };
  for (std::int64_t i = 0; i < layers; ++i) {
    const std::string index = std::to_string(4 * i), next = std::to_string(4 * i + 1);
    const std::int64_t in = channels(layers - i), out = channels(layers - i - 1);
    add("encoder.convs." + index + ".weight", {channels(i + 1), channels(i), 3, 3}, 0.05F);
    add("encoder.convs." + index + ".bias", {channels(i + 1)}, 0.05F);
    norm("encoder.convs." + next, channels(i + 1));
    add("decoder.deconvs." + index + ".weight", {in, out, 3, 3}, 0.05F);
    add("decoder.deconvs." + index + ".bias", {out}, 0.05F);
    if (i + 1 < layers) norm("decoder.deconvs." + next, out);
  }
  for (const char* head : {"encoder.fc_mu", "encoder.fc_logvar"}) {
    add(head + std::string(".weight"), {latent, shape.features()}, 0.01F);
    add(head + std::string(".bias"), {latent}, 0.01F);
  }
  add("decoder.fc.weight", {shape.features(), latent}, 0.5F);
  add("decoder.fc.bias", {shape.features()}, 0.5F);
  return state;
}

inline NamedTensor& named(StateDict& state, const std::string& name) {
  for (NamedTensor& tensor : state) {
    if (tensor.name == name) return tensor;
  }
  std::abort();
}

inline FloatTensor filled(std::vector<std::int64_t> shape, float value) {
  FloatTensor tensor{std::move(shape), nullptr};
  tensor.data = std::shared_ptr<float[]>(new float[static_cast<std::size_t>(tensor.numel())]);
  std::fill_n(tensor.data.get(), tensor.numel(), value);
  return tensor;
}

}  // namespace sda::engine
