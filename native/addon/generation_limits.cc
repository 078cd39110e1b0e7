#include "addon/generation_limits.h"

#include <cstdint>
#include <limits>
#include <random>
#include <string>

#include "addon/errors.h"
#include "addon/marshal/numbers.h"
#include "engine/generation/generation_limits.h"

namespace sda::addon {
namespace {

namespace limits = engine::limits;

template <typename T>
Napi::Object range(Napi::Env env, const limits::Range<T>& found) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("min", static_cast<double>(found.min));
  object.Set("max", static_cast<double>(found.max));
  return object;
}

template <typename T, std::size_t count>
Napi::Array names(Napi::Env env, const limits::Choices<T, count>& choices) {
  Napi::Array array = Napi::Array::New(env, count);
  for (std::uint32_t i = 0; i < count; ++i) array.Set(i, std::string(choices[i].first));
  return array;
}

}  // namespace

Napi::Value generation_limits(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const Napi::Env env = call.Env();
    Napi::Object duration = Napi::Object::New(env);
    duration.Set("above", limits::kDurationAbove);
    duration.Set("max", limits::kDurationMax);
    Napi::Array rates = Napi::Array::New(env, limits::kSampleRates.size());
    for (std::uint32_t i = 0; i < limits::kSampleRates.size(); ++i)
      rates.Set(i, static_cast<double>(limits::kSampleRates[i]));

    Napi::Object result = Napi::Object::New(env);
    result.Set("durationS", duration);
    // seed_argument checks the first range and draws from the second.
    result.Set("seed", range<std::int64_t>(env, {0, kSafeInteger}));
    result.Set(
        "drawnSeed",
        range<std::int64_t>(env, {0, std::numeric_limits<std::random_device::result_type>::max()}));
    result.Set("stepsBetween", range(env, limits::kStepsBetween));
    result.Set("chunks", range(env, limits::kChunks));
    result.Set("overlapSamples", range(env, limits::kOverlapSamples));
    result.Set("width", range(env, limits::kWidth));
    result.Set("depth", range(env, limits::kDepth));
    result.Set("evolution", range(env, limits::kEvolution));
    result.Set("temperature", range(env, limits::kTemperature));
    result.Set("topK", range(env, limits::kTopK));
    result.Set("topP", range(env, limits::kTopP));
    result.Set("sampleRates", rates);
    result.Set("concatModes", names(env, limits::kConcatModes));
    result.Set("joints", names(env, limits::kJoints));
    result.Set("spatialModes", names(env, limits::kSpatialModes));
    result.Set("loudnesses", names(env, limits::kLoudnesses));
    return result;
  });
}

}  // namespace sda::addon
