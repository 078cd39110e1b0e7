#include "addon/marshal/generate_options.h"

#include <atomic>
#include <optional>
#include <string>

#include "addon/environment.h"
#include "addon/marshal/arguments.h"
#include "addon/marshal/float_tensors.h"
#include "engine/generation/generation_limits.h"

namespace sda::addon {

class ProgressChannel : public std::enable_shared_from_this<ProgressChannel> {
 public:
  ProgressChannel(Environment& environment, const Napi::Function& callback)
      : environment_(environment), callback_(Napi::Persistent(callback)) {
    // An engine thread may be the last owner, and it must not touch a JavaScript reference.
    callback_.SuppressDestruct();
  }

  void report(std::int64_t done, std::int64_t total) {
    total_ = total;
    // Several threads report, so numbers may arrive out of order. Keeps the largest.
    for (std::int64_t known = done_; known < done && !done_.compare_exchange_weak(known, done);) {
    }
    if (posted_.exchange(true)) return;
    environment_.post([self = shared_from_this()](Napi::Env) { self->deliver(); });
  }

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
      // TypeScript's callback catches errors of the user's callback. Only a worker thread that is
      // being terminated throws here.
    }
  }

  Environment& environment_;
  Napi::FunctionReference callback_;
  std::atomic<std::int64_t> done_{0}, total_{0};
  std::atomic<bool> posted_{false};
  std::int64_t delivered_ = 0;
};

std::shared_ptr<ProgressChannel> progress_argument(const Napi::Value& value) {
  if (!value.IsFunction()) return nullptr;
  return std::make_shared<ProgressChannel>(Environment::of(value.Env()),
                                           value.As<Napi::Function>());
}

std::function<void(std::int64_t, std::int64_t)> reporter(
    const std::shared_ptr<ProgressChannel>& channel) {
  if (!channel) return nullptr;
  return [channel](std::int64_t done, std::int64_t total) { channel->report(done, total); };
}

void close_progress(const std::shared_ptr<ProgressChannel>& channel) {
  if (channel) channel->close();
}

namespace {

template <typename T, std::size_t count>
T choice(const Napi::Object& options, const char* name,
         const engine::limits::Choices<T, count>& choices) {
  const std::string text = string_argument(options.Get(name), name);
  for (const auto& [label, value] : choices)
    if (text == label) return value;
  throw Error(ErrorCode::kArgument, std::string("unknown ") + name + " '" + text + "'")
      .with("option", std::string(name));
}

}  // namespace

engine::SampleOptions sample_options_argument(const Napi::Object& options) {
  return {number_argument(options.Get("temperature"), "temperature"),
          integer_argument(options.Get("topK"), "topK"),
          number_argument(options.Get("topP"), "topP")};
}

engine::GenerateOptions generate_options_argument(const Napi::Value& value) {
  const Napi::Object object = object_argument(value, "options");
  using namespace engine;
  const auto number = [&](const char* name) { return number_argument(object.Get(name), name); };
  const auto integer = [&](const char* name) { return integer_argument(object.Get(name), name); };
  GenerateOptions options;
  options.duration_s = number("durationS");
  options.seed = seed_argument(object.Get("seed"));
  options.concat_mode = choice(object, "concatMode", limits::kConcatModes);
  options.joint = choice(object, "joint", limits::kJoints);
  options.spatial_mode = choice(object, "spatialMode", limits::kSpatialModes);
  options.steps_between = integer("stepsBetween");
  options.overlap_samples = integer("overlapSamples");
  options.loudness = choice(object, "loudness", limits::kLoudnesses);
  options.width = number("width");
  options.depth = number("depth");
  options.sample_rate = integer("sampleRate");
  options.evolution = number("evolution");
  options.sampling = sample_options_argument(object);
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

}  // namespace sda::addon
