// A small vocoder and its mels.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/test/support.h"
#include "engine/vocoder/hifi_gan.h"

namespace sda::engine {

inline std::vector<float> numbers(std::size_t count, std::uint32_t seed) {
  std::vector<float> values(count);
  for (float& value : values) {
    seed = seed * 1664525U + 1013904223U;
    value = static_cast<float>(static_cast<double>(seed >> 8) / (1 << 24) - 0.5);
  }
  return values;
}

// A small generator with every kind of layer, and sizes that fill no vector.
inline VocoderConfig small_vocoder() {
  VocoderConfig config;
  config.sample_rate = 8000;
  config.hop_length = 12;
  config.num_mels = 5;
  config.upsample_initial_channel = 24;
  config.upsample_rates = {3, 2, 2};
  config.upsample_kernel_sizes = {7, 4, 2};
  config.resblock_kernel_sizes = {3, 5};
  config.resblock_dilations = {{1, 3}, {1, 2, 4}};
  return config;
}

// As a file holds it, by the names that collect_vocoder() takes.
inline StateDict vocoder_state(const VocoderConfig& config) {
  StateDict state;
  std::uint32_t seed = 1;
  const auto add = [&](const std::string& name, std::vector<std::int64_t> shape, float offset) {
    std::int64_t count = 1;
    for (const std::int64_t extent : shape) count *= extent;
    const std::vector<float> values = numbers(static_cast<std::size_t>(count), ++seed);
    std::shared_ptr<float[]> data(new float[static_cast<std::size_t>(count)]);
    std::transform(values.begin(), values.end(), data.get(), [&](float v) { return v + offset; });
    std::vector<std::int64_t> strides(shape.size(), 1);
    for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
    state.push_back({name, DType::kFloat32, std::move(shape), strides,
                     reinterpret_cast<std::byte*>(data.get()), data});
  };
  const auto layer = [&](const std::string& name, std::vector<std::int64_t> shape,
                         std::int64_t outputs) {
    add(name + ".bias", {outputs}, 0.0F);
    add(name + ".weight_g", {shape[0], 1, 1}, 1.0F);
    add(name + ".weight_v", std::move(shape), 0.0F);
  };
  std::int64_t channels = config.upsample_initial_channel;
  layer("conv_pre", {channels, config.num_mels, 7}, channels);
  std::int64_t block = 0;
  for (std::size_t i = 0; i < config.upsample_rates.size(); ++i, channels /= 2)
    layer("ups." + std::to_string(i), {channels, channels / 2, config.upsample_kernel_sizes[i]},
          channels / 2);
  channels = config.upsample_initial_channel;
  for (std::size_t i = 0; i < config.upsample_rates.size(); ++i) {
    channels /= 2;
    for (std::size_t k = 0; k < config.resblock_kernel_sizes.size(); ++k, ++block)
      for (std::size_t d = 0; d < config.resblock_dilations[k].size(); ++d)
        for (const char* convs : {".convs1.", ".convs2."})
          layer("resblocks." + std::to_string(block) + convs + std::to_string(d),
                {channels, channels, config.resblock_kernel_sizes[k]}, channels);
  }
  layer("conv_post", {1, channels, 7}, 1);
  return state;
}

inline FloatTensor small_mel(const VocoderConfig& config, std::int64_t frames) {
  std::vector<float> values = numbers(static_cast<std::size_t>(config.num_mels * frames), 9);
  for (float& value : values) value = 2.0F * value + 0.4F;  // some are negative
  return tensor_of({1, 1, config.num_mels, frames}, values);
}

// Renders a mel in windows of so many frames, with no more of the mel than each window needs.
inline std::vector<float> in_windows(const LocalSynthesis& method, const FloatTensor& mel,
                                     std::int64_t each) {
  const std::int64_t frames = mel.shape[3], sounding = method.samples(frames) / method.hop_length();
  std::vector<float> wave(static_cast<std::size_t>(sounding * method.hop_length()));
  for (std::int64_t begin = 0; begin < sounding; begin += each) {
    const std::int64_t end = std::min(sounding, begin + each);
    const std::int64_t from = std::max<std::int64_t>(0, begin - method.context());
    const std::int64_t to = std::min(frames, end + method.context());
    std::vector<float> part;
    for (std::int64_t row = 0; row < method.rows(); ++row)
      part.insert(part.end(), mel.data.get() + row * frames + from,
                  mel.data.get() + row * frames + to);
    method.render({part.data(), to - from, from, to - from, frames}, begin, end,
                  wave.data() + begin * method.hop_length());
  }
  return wave;
}

}  // namespace sda::engine
