#include "engine/generation/generate_options.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "engine/float_tensor.h"
#include "engine/generation/generation_limits.h"

namespace sda::engine {
namespace {

// "1.5", where std::to_string gives "1.500000".
std::string text(double value) {
  std::ostringstream out;
  out << value;
  return out.str();
}
std::string text(std::int64_t value) { return std::to_string(value); }

template <typename T>
void check_range(const std::string& option, T value, const limits::Range<T>& range) {
  if (!range.contains(value)) {
    bad_argument(option, option + " must be from " + text(range.min) + " to " + text(range.max) +
                             ", found " + text(value));
  }
}

void check_sample_rate(std::int64_t rate) {
  const auto& rates = limits::kSampleRates;
  if (std::find(rates.begin(), rates.end(), rate) != rates.end()) return;
  std::string allowed;
  for (const std::int64_t known : rates) {
    if (!allowed.empty()) allowed += known == rates.back() ? " or " : ", ";
    allowed += text(known);
  }
  bad_argument("sample_rate", "sample_rate must be " + allowed + ", found " + text(rate));
}

void check_latent(const std::vector<float>& latent, std::int64_t latent_dim) {
  if (static_cast<std::int64_t>(latent.size()) != latent_dim) {
    bad_argument("latent", "latent must have " + text(latent_dim) +
                               " values for this model, found " + std::to_string(latent.size()));
  }
  if (!std::all_of(latent.begin(), latent.end(), [](float v) { return std::isfinite(v); })) {
    bad_argument("latent", "latent holds a value that is not finite");
  }
}

// What only some programs can do.
void check_codes_options(const CodeModel& codes, const GenerateOptions& options) {
  if (options.latent)
    bad_argument("latent",
                 "a model of codes has no latent space: it takes neither latent nor "
                 "sliders");
  if (options.spatial_mode != SpatialMode::kMono)
    bad_argument("spatial_mode", "a model of codes makes mono sound only");
  if (!codes.has_prior())
    bad_argument("prior",
                 "this model has no prior, so it cannot make sound by itself: decode codes, or "
                 "train a prior for it");
  check_range("temperature", options.sampling.temperature, limits::kTemperature);
  check_range("top_k", options.sampling.top_k, limits::kTopK);
  check_range("top_p", options.sampling.top_p, limits::kTopP);
}

}  // namespace

void check_options(const Instrument& instrument, const GenerateOptions& options) {
  // Written so that NaN is refused too.
  if (!(options.duration_s > limits::kDurationAbove &&
        options.duration_s <= limits::kDurationMax)) {
    bad_argument("duration_s", "duration_s must be above " + text(limits::kDurationAbove) +
                                   " and at most " + text(limits::kDurationMax) +
                                   " seconds, found " + text(options.duration_s));
  }
  check_sample_rate(options.sample_rate);
  check_range("overlap_samples", options.overlap_samples, limits::kOverlapSamples);
  check_range("steps_between", options.steps_between, limits::kStepsBetween);
  check_range("width", options.width, limits::kWidth);
  check_range("depth", options.depth, limits::kDepth);
  check_range("evolution", options.evolution, limits::kEvolution);
  if (instrument.codes) check_codes_options(*instrument.codes, options);
  if (options.latent) check_latent(*options.latent, instrument.model->latent_dim());
  if (instrument.program.synthesis == Synthesis::kChunks &&
      chunk_count(options) > limits::kChunks.max) {
    bad_argument("steps_between", "steps_between gives " + text(chunk_count(options)) +
                                      " chunks for this duration, at most " +
                                      text(limits::kChunks.max) + " are allowed");
  }
}

std::int64_t anchor_count(const GenerateOptions& options) {
  return static_cast<std::int64_t>(std::ceil(options.duration_s));
}

std::int64_t chunk_count(const GenerateOptions& options) {
  const std::int64_t anchors = anchor_count(options);
  const bool interpolates =
      !options.latent && options.concat_mode == ConcatMode::kLatentInterpolation;
  return interpolates ? (anchors - 1) * options.steps_between + 1 : anchors;
}

std::int64_t generated_channels(const GenerateOptions& options) {
  return options.spatial_mode == SpatialMode::kDualSeed ? 2 : 1;
}

}  // namespace sda::engine
