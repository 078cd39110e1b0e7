#include <atomic>
#include <cmath>
#include <optional>
#include <string>

#include "addon/arguments.h"
#include "addon/environment.h"
#include "addon/errors.h"
#include "addon/float_tensors.h"
#include "addon/loaded_model.h"

namespace sda::addon {
namespace {

// Progress for a JavaScript callback. The engine's threads report as often as they like; at most
// one message is under way at a time, and it carries the newest numbers.
class ProgressChannel : public std::enable_shared_from_this<ProgressChannel> {
 public:
  ProgressChannel(Environment& environment, const Napi::Function& callback)
      : environment_(environment), callback_(Napi::Persistent(callback)) {
    // The last owner may be a pool thread, where a reference must not be touched.
    callback_.SuppressDestruct();
  }

  void report(std::int64_t done, std::int64_t total) {
    done_ = done;
    total_ = total;
    if (posted_.exchange(true)) return;
    environment_.post([self = shared_from_this()](Napi::Env) { self->deliver(); });
  }

  // On the environment's thread, when the work has ended: the last numbers, if they are not out
  // yet, and no more afterwards.
  void close() {
    deliver();
    callback_.Reset();
  }

 private:
  void deliver() {
    posted_ = false;
    const std::int64_t done = done_, total = total_;
    if (callback_.IsEmpty() || done == delivered_) return;
    delivered_ = done;
    const Napi::Env env = callback_.Env();
    const Napi::HandleScope scope(env);
    try {
      callback_.Call({Napi::Number::New(env, static_cast<double>(done)),
                      Napi::Number::New(env, static_cast<double>(total))});
    } catch (const Napi::Error& error) {
      // TypeScript wraps the callback and keeps what it throws; nothing is left to throw here.
    }
  }

  Environment& environment_;
  Napi::FunctionReference callback_;
  std::atomic<std::int64_t> done_{0}, total_{0};
  std::atomic<bool> posted_{false};
  std::int64_t delivered_ = 0;
};

template <typename T>
T choice(const Napi::Object& options, const char* name,
         std::initializer_list<std::pair<const char*, T>> choices) {
  const std::string text = string_argument(options.Get(name), name);
  for (const auto& [label, value] : choices)
    if (text == label) return value;
  throw Error(ErrorCode::kArgument, "'" + text + "' is no " + name)
      .with("option", std::string(name));
}

engine::GenerateOptions options_argument(const Napi::Object& object) {
  using namespace engine;
  const auto number = [&](const char* name) { return number_argument(object.Get(name), name); };
  const auto integer = [&](const char* name) { return integer_argument(object.Get(name), name); };
  GenerateOptions options;
  options.duration_s = number("durationS");
  options.seed = seed_argument(object.Get("seed"));
  options.concat_mode =
      choice<ConcatMode>(object, "concatMode",
                         {{"crossfade", ConcatMode::kCrossfade},
                          {"latent_interpolation", ConcatMode::kLatentInterpolation}});
  options.joint = choice<Joint>(object, "joint",
                                {{"python", Joint::kPython}, {"equal-power", Joint::kEqualPower}});
  options.spatial_mode = choice<SpatialMode>(object, "spatialMode",
                                             {{"mono", SpatialMode::kMono},
                                              {"stereo", SpatialMode::kStereo},
                                              {"dual_seed", SpatialMode::kDualSeed}});
  options.steps_between = integer("stepsBetween");
  options.overlap_samples = integer("overlapSamples");
  options.width = number("width");
  options.depth = number("depth");
  options.sample_rate = integer("sampleRate");
  const Napi::Value latent = object.Get("latent");
  if (!latent.IsUndefined()) {
    if (!latent.IsTypedArray() ||
        latent.As<Napi::TypedArray>().TypedArrayType() != napi_float32_array)
      throw Error(ErrorCode::kArgument, "latent must be a Float32Array")
          .with("option", std::string("latent"));
    const auto floats = latent.As<Napi::Float32Array>();
    options.latent.emplace(floats.Data(), floats.Data() + floats.ElementLength());
  }
  return options;
}

Napi::Object quality_object(Napi::Env env, const engine::Quality& quality) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("snrDb", quality.snr_db);
  object.Set("clippedSamples", static_cast<double>(quality.clipped_samples));
  object.Set("totalSamples", static_cast<double>(quality.total_samples));
  object.Set("peakValue", quality.peak_value);
  object.Set("maxConsecutiveClipped", static_cast<double>(quality.max_consecutive_clipped));
  return object;
}

}  // namespace

Napi::Value generate(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    Environment& environment = Environment::of(call.Env());
    const auto loaded = model_argument(call[0]);
    const auto options = options_argument(object_argument(call[2], "options"));
    std::shared_ptr<ProgressChannel> progress;
    if (call[3].IsFunction())
      progress = std::make_shared<ProgressChannel>(environment, call[3].As<Napi::Function>());

    Work work = [loaded, options, progress](const CancelToken& cancel) -> Finish {
      auto result = std::make_shared<engine::Generation>(
          engine::generate(*loaded->model, *loaded->spectrogram, options, cancel,
                           [&](std::int64_t done, std::int64_t total) {
                             if (progress) progress->report(done, total);
                           }));
      return [result](Napi::Env env) -> Napi::Value {
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
      };
    };
    return environment.run(call.Env(), cancel_argument(call[4]), std::move(work), [progress] {
      if (progress) progress->close();
    });
  });
}

}  // namespace sda::addon
