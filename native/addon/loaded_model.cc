#include "addon/loaded_model.h"

#include <string>
#include <utility>

#include "addon/environment.h"
#include "addon/handles.h"
#include "addon/marshal/arguments.h"

namespace sda::addon {
namespace {

// Reports the model's memory to V8, so that forgotten models lead to a garbage collection. Created
// and destroyed on the environment's thread.
class ModelHandle {
 public:
  ModelHandle(napi_env env, std::shared_ptr<LoadedModel> loaded)
      : env_(env), loaded_(std::move(loaded)), bytes_(loaded_->byte_size()) {
    std::int64_t ignored;
    napi_adjust_external_memory(env_, bytes_, &ignored);
  }
  ~ModelHandle() { take(); }
  ModelHandle(const ModelHandle&) = delete;
  ModelHandle& operator=(const ModelHandle&) = delete;

  const std::shared_ptr<LoadedModel>& loaded() const { return loaded_; }
  std::shared_ptr<LoadedModel> take() {
    std::int64_t ignored;
    if (loaded_) napi_adjust_external_memory(env_, -bytes_, &ignored);
    return std::exchange(loaded_, nullptr);
  }

 private:
  napi_env env_;
  std::shared_ptr<LoadedModel> loaded_;
  std::int64_t bytes_;
};

struct SpectrogramHandle {
  std::shared_ptr<LoadedModel> loaded;
};

std::shared_ptr<LoadedModel> undisposed(const std::shared_ptr<LoadedModel>& loaded) {
  if (!loaded) throw Error(ErrorCode::kDisposed, "this model has been disposed of");
  return loaded;
}

}  // namespace

template <>
struct HandleTag<ModelHandle> {
  static constexpr napi_type_tag kTag = {0x5a4cf2d5f7da4a39, 0x8ab0c6a8b8f35e17};
};
template <>
struct HandleTag<SpectrogramHandle> {
  static constexpr napi_type_tag kTag = {0x27d2b7a0c1b94b6c, 0xa2f7e4d65c0b1983};
};

const engine::Model& LoadedModel::vae() const {
  if (instrument.model) return *instrument.model;
  throw Error(ErrorCode::kArgument, "this model has codes instead of a latent space")
      .with("option", std::string("model"));
}

const engine::CodeModel& LoadedModel::codes() const {
  if (instrument.codes) return *instrument.codes;
  throw Error(ErrorCode::kArgument, "this model has a latent space instead of codes")
      .with("option", std::string("model"));
}

std::int64_t LoadedModel::byte_size() const {
  return (instrument.model ? instrument.model->byte_size() : instrument.codes->byte_size()) +
         (instrument.synthesis ? engine::byte_size_of(*instrument.synthesis) : 0);
}

Napi::Object wrap_model(Napi::Env env, std::shared_ptr<LoadedModel> loaded) {
  return wrap_handle(env, std::make_shared<ModelHandle>(env, std::move(loaded)));
}

Napi::Object wrap_spectrogram(Napi::Env env, const std::shared_ptr<LoadedModel>& loaded) {
  return wrap_handle(env, std::make_shared<SpectrogramHandle>(SpectrogramHandle{loaded}));
}

std::shared_ptr<LoadedModel> model_argument(const Napi::Value& value) {
  return undisposed(unwrap_handle<ModelHandle>(value)->loaded());
}

std::shared_ptr<LoadedModel> spectrogram_argument(const Napi::Value& value) {
  return undisposed(unwrap_handle<SpectrogramHandle>(value)->loaded);
}

InstrumentArgument instrument_argument(const std::shared_ptr<LoadedModel>& loaded,
                                       const Napi::Value& options) {
  const Napi::Value vocoder = object_argument(options, "options").Get("vocoder");
  InstrumentArgument result{loaded->instrument, loaded};
  const auto refuse = [](const std::string& why) -> Error {
    return Error(ErrorCode::kArgument, why).with("option", std::string("vocoder"));
  };
  const bool is_name = vocoder.IsString() || vocoder.IsUndefined();
  const std::string name = vocoder.IsString() ? vocoder.As<Napi::String>().Utf8Value() : "auto";
  if (is_name && name == "auto") return result;
  if (loaded->instrument.model && loaded->instrument.model->channels() == 2)
    throw refuse("this model's mels hold the phases: it takes no vocoder and no Griffin-Lim");
  if (is_name && name == "griffin_lim") {
    result.instrument.synthesis = nullptr;
    return result;
  }
  if (is_name && name == "model") {
    if (!result.instrument.synthesis) throw refuse("this model's file holds no vocoder");
    return result;
  }
  if (is_name) throw refuse("vocoder must be auto, model, griffin_lim or a model with a vocoder");
  if (result.instrument.program.synthesis != engine::Synthesis::kOverlapAdd)
    throw refuse("this model's program knows no vocoders");
  const auto other = model_argument(vocoder);
  if (!other->instrument.synthesis || other->instrument.model->channels() == 2)
    throw refuse("the model given as vocoder holds none");
  result.instrument.synthesis = other->instrument.synthesis;
  engine::check_vocoder_fits(*result.instrument.synthesis,
                             loaded->instrument.spectrogram->config());
  // Keeps both models alive.
  result.owner =
      std::make_shared<std::pair<std::shared_ptr<const void>, std::shared_ptr<const void>>>(loaded,
                                                                                            other);
  return result;
}

Napi::Promise dispose_model(Napi::Env env, const Napi::Value& model,
                            const Napi::Value& spectrogram) {
  auto& handle = unwrap_handle<ModelHandle>(model);
  auto& spectrogram_handle = unwrap_handle<SpectrogramHandle>(spectrogram);
  spectrogram_handle->loaded.reset();
  std::shared_ptr<LoadedModel> loaded = handle->take();
  if (loaded.use_count() <= 1) {  // no job uses it
    loaded.reset();
    const auto deferred = Napi::Promise::Deferred::New(env);
    deferred.Resolve(env.Undefined());
    return deferred.Promise();
  }
  auto [promise, resolve] = Environment::of(env).pending(env);
  loaded->destroyed =
      std::move(resolve);  // called when `loaded` and all running jobs have released it
  return promise;
}

}  // namespace sda::addon
