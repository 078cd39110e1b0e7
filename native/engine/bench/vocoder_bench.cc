// Measures HiFi-GAN V2 with random weights on one thread:
//   vocoder_bench [RUNS]
// Prints the milliseconds of each run as JSON, in turns: `vocoder`, the sound of one second;
// `alone`, as many multiply-adds as that needs, in registers, by the widest instructions that the
// kernels use: the least time that the processor can take. `multiply_adds`: how many, counted from
// the layers.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "engine/bench/median.h"
#include "engine/vocoder/hifi_gan.h"

namespace sda::engine {
namespace {

// Independent sums, enough to hide the latency of a multiply-add.
constexpr int kSums = 12;
constexpr int kWarmUps = 2;

#if defined(__x86_64__)
#define SDA_WIDE(features) __attribute__((target(features), noinline))
#else
#define SDA_WIDE(features) __attribute__((noinline))
#endif

// The loop over the sums must be unrolled, so that they stay in registers.
#define SDA_MULTIPLY_ADDS(name, floats, features)                                                 \
  SDA_WIDE(features) float name(std::int64_t count) {                                             \
    using Vector = float __attribute__((vector_size(sizeof(float) * (floats))));                  \
    Vector sums[kSums];                                                                           \
    for (int k = 0; k < kSums; ++k) sums[k] = Vector{} + static_cast<float>(k);                   \
    const Vector factor = Vector{} + 0.999F;                                                      \
    const Vector term = Vector{} + 1e-3F;                                                         \
    for (std::int64_t i = 0; i < count; i += kSums * (floats)) {                                  \
      _Pragma("GCC unroll 12") for (int k = 0; k < kSums; ++k) sums[k] = sums[k] * factor + term; \
    }                                                                                             \
    float total = 0.0F;                                                                           \
    for (const Vector& sum : sums)                                                                \
      for (int i = 0; i < (floats); ++i) total += sum[i];                                         \
    return total;                                                                                 \
  }

#if defined(__x86_64__)
SDA_MULTIPLY_ADDS(multiply_adds_avx512, 16, "avx512f")
SDA_MULTIPLY_ADDS(multiply_adds_fma, 8, "avx2,fma")
#else
SDA_MULTIPLY_ADDS(multiply_adds_plain, 4, "")
#endif

float multiply_adds(std::int64_t count) {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512f") ? multiply_adds_avx512(count) : multiply_adds_fma(count);
#else
  return multiply_adds_plain(count);
#endif
}

int run(int runs) {
  VocoderConfig config;
  config.upsample_rates = {8, 8, 4, 2};
  config.upsample_kernel_sizes = {16, 16, 8, 4};
  config.resblock_kernel_sizes = {3, 7, 11};
  config.resblock_dilations = {{1, 3, 5}, {1, 3, 5}, {1, 3, 5}};

  std::mt19937 random(1);
  std::int64_t taps = 0;  // multiply-adds of one frame
  // `times`: how often each weight is used in a frame
  const auto layer = [&](std::vector<std::int64_t> shape, std::int64_t outputs,
                         std::int64_t times) {
    VocoderLayer made;
    std::int64_t size = 1;
    for (const std::int64_t extent : shape) size *= extent;
    taps += size * times;
    made.shape = std::move(shape);
    made.weight.resize(static_cast<std::size_t>(size));
    for (float& weight : made.weight)
      weight = (static_cast<float>(random() >> 8) * 0x1p-24F - 0.5F) * 0.1F;
    made.bias.resize(static_cast<std::size_t>(outputs));
    return made;
  };
  VocoderWeights weights;
  std::int64_t channels = config.upsample_initial_channel;
  std::int64_t rate = 1;
  weights.pre = layer({channels, config.num_mels, 7}, channels, rate);
  for (std::size_t i = 0; i < config.upsample_rates.size(); ++i) {
    // Each weight of a transposed convolution meets each of its inputs once.
    weights.ups.push_back(
        layer({channels, channels / 2, config.upsample_kernel_sizes[i]}, channels / 2, rate));
    channels /= 2;
    rate *= config.upsample_rates[i];
    for (const std::int64_t width : config.resblock_kernel_sizes) {
      std::vector<VocoderLayer>& block = weights.blocks.emplace_back();
      for (int k = 0; k < 6; ++k)
        block.push_back(layer({channels, channels, width}, channels, rate));
    }
  }
  weights.post = layer({1, channels, 7}, 1, rate);
  const HifiGan vocoder(config, weights);

  const std::int64_t window = vocoder.window_frames();
  const std::int64_t frames = 2 * window;  // 1.0 s
  std::vector<float> mel(static_cast<std::size_t>(config.num_mels * frames), 0.5F);
  std::vector<float> wave(static_cast<std::size_t>(vocoder.samples(frames)));
  const std::int64_t count = taps * frames;
  volatile float kept = 0.0F;
  std::string vocoder_ms, alone_ms;
  for (int i = -kWarmUps; i < runs; ++i) {
    const double sound = time_ms([&] {
      for (std::int64_t begin = 0; begin < frames; begin += window)
        vocoder.render({mel.data(), frames, 0, frames, frames}, begin, begin + window,
                       wave.data() + vocoder.samples(begin));
    });
    const double alone = time_ms([&] { kept = multiply_adds(count); });
    if (i < 0) continue;
    const char* const comma = i == 0 ? "" : ",";
    vocoder_ms.append(comma).append(std::to_string(sound));
    alone_ms.append(comma).append(std::to_string(alone));
  }
  std::printf("{\"vocoder\":[%s],\"alone\":[%s],\"multiply_adds\":%lld}\n", vocoder_ms.c_str(),
              alone_ms.c_str(), static_cast<long long>(count));
  return 0;
}

}  // namespace
}  // namespace sda::engine

int main(int argc, char** argv) { return sda::engine::run(argc > 1 ? std::atoi(argv[1]) : 9); }
