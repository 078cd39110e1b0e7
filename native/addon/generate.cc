#include <memory>
#include <utility>

#include "addon/environment.h"
#include "addon/errors.h"
#include "addon/loaded_model.h"
#include "addon/marshal/arguments.h"
#include "addon/marshal/float_tensors.h"
#include "addon/marshal/generate_options.h"
#include "engine/generation/generation.h"

namespace sda::addon {
namespace {

Napi::Object quality_object(Napi::Env env, const engine::Quality& quality) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("snrDb", quality.snr_db);
  object.Set("clippedSamples", static_cast<double>(quality.clipped_samples));
  object.Set("totalSamples", static_cast<double>(quality.total_samples));
  object.Set("peakValue", quality.peak_value);
  object.Set("maxConsecutiveClipped", static_cast<double>(quality.max_consecutive_clipped));
  return object;
}

Napi::Value result_object(Napi::Env env, const std::shared_ptr<engine::Generation>& result) {
  Napi::Object object = Napi::Object::New(env);
  Napi::Array audio = Napi::Array::New(env, result->audio.size());
  for (std::uint32_t channel = 0; channel < result->audio.size(); ++channel) {
    auto& samples = result->audio[channel];
    audio.Set(channel, float_array(env, samples.data(), samples.size(), result));
  }
  object.Set("audio", audio);
  object.Set("sampleRate", static_cast<double>(result->sample_rate));
  object.Set("quality", quality_object(env, result->quality));
  return object;
}

}  // namespace

Napi::Value generate(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const auto loaded = model_argument(call[0]);
    const auto options = generate_options_argument(call[2]);
    const auto [instrument, owner] = instrument_argument(loaded, call[2]);
    const auto progress = progress_argument(call[3]);
    const auto start = [&](std::shared_ptr<CancelToken> cancel, Complete complete) {
      engine::GenerationEvents events;
      events.progress = reporter(progress);
      events.ended = [complete = std::move(complete)](engine::Generation result,
                                                      std::exception_ptr failure) {
        auto shared = std::make_shared<engine::Generation>(std::move(result));
        complete([shared](Napi::Env env) { return result_object(env, shared); },
                 std::move(failure));
      };
      engine::Scheduler::shared().start(engine::make_generation(
          instrument, options, std::move(cancel), std::move(events), owner));
    };
    return Environment::of(call.Env())
        .run_elsewhere(call.Env(), cancel_argument(call[4]), start,
                       [progress] { close_progress(progress); });
  });
}

Napi::Value audio_format(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const auto loaded = model_argument(call[0]);
    const engine::AudioFormat format = engine::audio_format(
        instrument_argument(loaded, call[1]).instrument, generate_options_argument(call[1]));
    Napi::Object object = Napi::Object::New(call.Env());
    object.Set("sampleRate", static_cast<double>(format.sample_rate));
    object.Set("channels", static_cast<double>(format.channels));
    object.Set("frames", static_cast<double>(format.frames));
    return object;
  });
}

}  // namespace sda::addon
