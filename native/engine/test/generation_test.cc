// Generations as a whole, their options, and the paths through the latent space.
#include "engine/generation/generation.h"

#include <algorithm>
#include <future>
#include <limits>
#include <numbers>
#include <utility>

#include "checkpoint/io/crc32.h"
#include "engine/generation/generate_options.h"
#include "engine/generation/generation_limits.h"
#include "engine/generation/latent_path.h"
#include "engine/test/support.h"
#include "engine/threads/scheduler.h"

namespace sda::engine {
namespace {

TEST_CASE("latents are interpolated on the sphere") {
  const Latent x{2.0F, 0.0F}, y{0.0F, 4.0F};
  const float half = std::numbers::sqrt2_v<float> / 2.0F;
  CHECK(largest_difference(slerp(x, y, 0.5), Latent{2.0F * half, 4.0F * half}) < 1e-6);
  CHECK(largest_difference(slerp(x, {6.0F, 0.0F}, 0.25), Latent{3.0F, 0.0F}) < 1e-6);
  CHECK(largest_difference(slerp({0.0F, 0.0F}, y, 0.5), Latent{0.0F, 2.0F}) < 1e-6);
  CHECK(interpolate_anchors({x, y, x}, 3).size() == 7);
  CHECK(interpolate_anchors({x}, 3).size() == 1);
}

Generation generate(const Instrument& instrument, const GenerateOptions& options) {
  std::promise<Generation> done;
  GenerationEvents events;
  events.ended = [&](Generation result, std::exception_ptr failure) {
    failure ? done.set_exception(failure) : done.set_value(std::move(result));
  };
  Scheduler::shared().start(make_generation(instrument, options, std::make_shared<CancelToken>(),
                                            std::move(events), nullptr));
  return result_of(done);
}

// A model of the first version of the program.
Instrument instrument_of(const StateDict& state, std::int64_t latent_dim,
                         const SpectrogramConfig& config) {
  Instrument instrument;
  instrument.model = Model::create(state, Network::kSigmoid, latent_dim, config);
  instrument.spectrogram = Spectrogram::create(config, instrument.program.griffin_lim_iterations);
  return instrument;
}

TEST_CASE("a generation is the same with any number of threads, and has the announced length") {
  const SpectrogramConfig config = small_config();
  const StateDict state = make_state(16, config);
  for (const Synthesis synthesis : {Synthesis::kChunks, Synthesis::kOverlapAdd}) {
    Instrument instrument = instrument_of(state, 16, config);
    instrument.program.synthesis = synthesis;
    GenerateOptions options;
    options.duration_s = 1.5;
    Scheduler::shared().configure({2, 8});
    const Generation first = generate(instrument, options);
    Scheduler::shared().configure({1, 8});
    const Generation other = generate(instrument, options);
    CHECK(first.audio == other.audio);
    CHECK(first.audio[0].size() == 72000);
    CHECK(audio_format(instrument, options).frames == 72000);
  }
}

// Weights that no mathematical function makes, so that they are the same everywhere.
void scramble(StateDict& state) {
  std::uint32_t random = 1;
  for (NamedTensor& tensor : state) {
    if (tensor.shape.empty()) continue;
    auto* const values = reinterpret_cast<float*>(tensor.data);
    std::int64_t count = 1;
    for (const std::int64_t extent : tensor.shape) count *= extent;
    const bool is_scale = tensor.shape.size() == 1 && !tensor.name.ends_with("bias");
    for (std::int64_t i = 0; i < count; ++i) {
      random = random * 1664525U + 1013904223U;
      const float unit = static_cast<float>(random >> 8) * 0x1p-24F;
      values[i] = is_scale ? 0.5F + unit : (unit - 0.5F) * 0.2F;
    }
  }
}

TEST_CASE("a seed has the same bits on every processor, C library and compiler") {
  const SpectrogramConfig config = small_config();
  StateDict state = make_state(16, config);
  scramble(state);
  GenerateOptions options;
  options.duration_s = 1.5;
  options.seed = 5;
  const Generation made = generate(instrument_of(state, 16, config), options);
  const std::vector<float>& audio = made.audio[0];
  CHECK(made.quality.peak_value > 0.1);
  CHECK(crc32(0, audio.data(), audio.size() * sizeof(float)) == 0x46143685U);
}

TEST_CASE("a model that decodes to NaN is refused") {
  const SpectrogramConfig config = small_config();
  StateDict state = make_state(16, config);
  GenerateOptions options;
  options.duration_s = 1.5;
  const NamedTensor bias = named(state, "decoder.fc.bias");
  const auto nan = std::numeric_limits<float>::quiet_NaN();
  std::fill_n(reinterpret_cast<float*>(bias.data), bias.shape[0], nan);
  CHECK(throws(ErrorCode::kSchema, "", "",
               [&] { generate(instrument_of(state, 16, config), options); }));
}

TEST_CASE("options out of range are refused") {
  const SpectrogramConfig config = small_config();
  const Instrument instrument = instrument_of(make_state(4, config), 4, config);
  const auto refused = [&](const std::string& name, auto change) {
    GenerateOptions options;
    change(options);
    return throws(ErrorCode::kArgument, "option", name,
                  [&] { check_options(instrument, options); });
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (double bad : {nan, 0.0, -1.0, 60.001}) {
    CHECK(refused("duration_s", [&](auto& o) { o.duration_s = bad; }));
  }
  CHECK(refused("latent", [](auto& o) { o.latent = std::vector<float>(3); }));
  CHECK(refused("latent",
                [&](auto& o) { o.latent = std::vector<float>(4, static_cast<float>(nan)); }));
  CHECK(refused("sample_rate", [](auto& o) { o.sample_rate = 22050; }));
  CHECK(refused("steps_between", [](auto& o) { o.steps_between = 0; }));
  CHECK(refused("overlap_samples", [](auto& o) { o.overlap_samples = -1; }));
  CHECK(refused("width", [](auto& o) { o.width = 1.6; }));
  CHECK(refused("depth", [&](auto& o) { o.depth = nan; }));
}

TEST_CASE("both ends of every limit are accepted, and what lies beyond is refused") {
  const SpectrogramConfig config = small_config();
  const Instrument instrument = instrument_of(make_state(4, config), 4, config);
  const auto accepted = [&](auto change) {
    GenerateOptions options;
    change(options);
    check_options(instrument, options);
    return true;
  };
  const auto refused = [&](const std::string& name, auto change) {
    GenerateOptions options;
    change(options);
    return throws(ErrorCode::kArgument, "option", name,
                  [&] { check_options(instrument, options); });
  };
  const auto try_range = [&](const std::string& name, auto member, auto range, auto step) {
    CAPTURE(name);
    for (const auto inside : {range.min, range.max})
      CHECK(accepted([&](auto& o) { o.*member = inside; }));
    for (const auto outside : {range.min - step, range.max + step})
      CHECK(refused(name, [&](auto& o) { o.*member = outside; }));
  };
  const std::int64_t one = 1;
  try_range("steps_between", &GenerateOptions::steps_between, limits::kStepsBetween, one);
  try_range("overlap_samples", &GenerateOptions::overlap_samples, limits::kOverlapSamples, one);
  try_range("width", &GenerateOptions::width, limits::kWidth, 1e-9);
  try_range("depth", &GenerateOptions::depth, limits::kDepth, 1e-9);
  try_range("evolution", &GenerateOptions::evolution, limits::kEvolution, 1e-9);

  for (const double inside : {limits::kDurationAbove + 1e-9, limits::kDurationMax})
    CHECK(accepted([&](auto& o) { o.duration_s = inside; }));
  for (const double outside : {limits::kDurationAbove, limits::kDurationMax + 1e-9})
    CHECK(refused("duration_s", [&](auto& o) { o.duration_s = outside; }));
  for (const std::int64_t rate : limits::kSampleRates) {
    CHECK(accepted([&](auto& o) { o.sample_rate = rate; }));
    CHECK(refused("sample_rate", [&](auto& o) { o.sample_rate = rate + 1; }));
  }

  // The most steps for the longest sound, and one more.
  const auto longest = [](GenerateOptions& o, std::int64_t steps) {
    o.concat_mode = ConcatMode::kLatentInterpolation;
    o.duration_s = limits::kDurationMax;
    o.steps_between = steps;
  };
  const auto anchors = static_cast<std::int64_t>(limits::kDurationMax);
  const std::int64_t steps = (limits::kChunks.max - limits::kChunks.min) / (anchors - 1);
  CHECK(accepted([&](auto& o) { longest(o, steps); }));
  CHECK(refused("steps_between", [&](auto& o) { longest(o, steps + 1); }));
}

}  // namespace
}  // namespace sda::engine
