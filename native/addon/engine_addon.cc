// sda_engine.node: opens and runs models.
#include <napi.h>

#include <memory>
#include <string>
#include <utility>

#include "addon/engine_work.h"
#include "addon/environment.h"
#include "addon/errors.h"
#include "addon/generation_limits.h"
#include "addon/handles.h"
#include "addon/loaded_model.h"
#include "addon/marshal/arguments.h"
#include "addon/marshal/float_tensors.h"
#include "addon/marshal/values.h"
#include "addon/resample.h"
#include "addon/save.h"
#include "checkpoint/checkpoint.h"
#include "engine/backend_interface.h"
#include "engine/engine.h"

namespace sda::addon {

template <>
struct HandleTag<const Document> {
  static constexpr napi_type_tag kTag = {0x0f3a8a7d3a0e4c55, 0xb7be1f04f6a94d21};
};

namespace {

constexpr std::string_view kStateDict = "model_state_dict";

// The value that open() resolves to.
Napi::Value opened(Napi::Env env, const std::shared_ptr<const Document>& document,
                   const std::string& path) {
  try {
    Napi::Object result = Napi::Object::New(env);
    result.Set("content", ValueConverter(env, document, ValueConverter::Purpose::kReading)
                              .convert_top(document->root(),
                                           [](std::string_view key) { return key != kStateDict; }));
    result.Set("file", wrap_handle(env, document));
    return result;
  } catch (Error& error) {
    error.with("path", path);
    throw;
  }
}

// open(path, { verify }, cancel?)
Napi::Value open(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const std::string path = string_argument(call[0], "path");
    const bool verify = boolean_option(object_argument(call[1], "options"), "verify", true);
    return Environment::of(call.Env())
        .run(call.Env(), cancel_argument(call[2]), [path, verify](const CancelToken& cancel) {
          OpenOptions options;
          options.hold = verify ? Hold::kMemory : Hold::kMapping;
          options.cancel = &cancel;
          auto document = Document::open(path, options);
          return [document = std::move(document), path](Napi::Env env) {
            return opened(env, document, path);
          };
        });
  });
}

// openAtOnce(path) → the value that open(path, { verify: false }) resolves to, or undefined; see
// Document::open_at_once().
Napi::Value open_at_once(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const std::string path = string_argument(call[0], "path");
    OpenOptions options;
    options.hold = Hold::kMapping;
    const auto document = Document::open_at_once(path, options);
    return document ? opened(call.Env(), document, path) : call.Env().Undefined();
  });
}

engine::SpectrogramConfig config_argument(const Napi::Object& object) {
  const auto integer = [&](const char* name) { return integer_argument(object.Get(name), name); };
  engine::SpectrogramConfig config;
  config.sample_rate = integer("sampleRate");
  config.n_fft = integer("nFft");
  config.hop_length = integer("hopLength");
  config.n_mels = integer("nMels");
  config.f_min = number_argument(object.Get("fMin"), "fMin");
  const Napi::Value f_max = object.Get("fMax");
  if (!f_max.IsNull()) config.f_max = number_argument(f_max, "fMax");
  config.power = number_argument(object.Get("power"), "power");
  return config;
}

Napi::Value model_object(Napi::Env env, const std::shared_ptr<LoadedModel>& loaded) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("device", loaded->model->device());
  result.Set("hasEncoder", loaded->model->has_encoder());
  result.Set("byteLength", static_cast<double>(loaded->model->byte_size()));
  result.Set("spectrogram", wrap_spectrogram(env, loaded));
  result.Set("model", wrap_model(env, loaded));
  return result;
}

engine::BackendChoice backend_argument(const Napi::Value& value) {
  const std::string name = string_argument(value, "backend");
  if (name == "auto") return engine::BackendChoice::kAuto;
  if (name == "libtorch") return engine::BackendChoice::kAttached;
  throw Error(ErrorCode::kArgument, "backend must be auto or libtorch").with("option", "backend");
}

// createModel(file, { latentDim, config, device, backend }, cancel?): moves the file out of its
// handle. The model then owns the file's memory, and dispose() frees it without waiting for a
// garbage collection.
Napi::Value create_model(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const auto document = std::exchange(unwrap_handle<const Document>(call[0]), nullptr);
    if (!document)
      throw Error(ErrorCode::kDisposed, "a model has been created from this file already");
    const Napi::Object options = object_argument(call[1], "options");
    const std::int64_t latent_dim = integer_argument(options.Get("latentDim"), "latentDim");
    const auto config = config_argument(object_argument(options.Get("config"), "config"));
    const engine::Placement placement = engine::place(
        string_argument(options.Get("device"), "device"), backend_argument(options.Get("backend")));
    const auto weights = state_dict(document, kStateDict);
    const auto build = [document, weights, latent_dim, config, placement]() -> Finish {
      auto loaded = std::make_shared<LoadedModel>();
      loaded->document = document;
      loaded->model = engine::Model::create(weights, latent_dim, config, placement);
      loaded->spectrogram = engine::Spectrogram::create(config, placement);
      return [loaded](Napi::Env env) { return model_object(env, loaded); };
    };
    // Faster on this thread than a switch to another thread and back.
    if (engine::Model::is_instant(weights, config, placement)) {
      const auto deferred = Napi::Promise::Deferred::New(call.Env());
      deferred.Resolve(build()(call.Env()));
      return deferred.Promise();
    }
    return Environment::of(call.Env())
        .run(call.Env(), cancel_argument(call[2]), [build](const CancelToken&) { return build(); });
  });
}

// stateDict(model)
Napi::Value state_dict_of(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const auto document = model_argument(call[0])->document;
    const auto* top = document->root().as<Dict>();
    return ValueConverter(call.Env(), document).convert(*top->find(kStateDict));
  });
}

// save(plan, target, model, cancel?): the plan may carry over values from the model's file.
Napi::Value save_model(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    return start_save(call, {model_argument(call[2])->document, nullptr});
  });
}

// decode(model, z, cancel?)
Napi::Value decode(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    return run_on_engine(call.Env(), cancel_argument(call[2]),
                         [loaded = model_argument(call[0]),
                          z = float_tensor_argument(call[1], "z")](const CancelToken& cancel) {
                           return [mel = loaded->model->decode(z, cancel)](
                                      Napi::Env env) -> Napi::Value { return to_object(env, mel); };
                         });
  });
}

// encode(model, mel, cancel?)
Napi::Value encode(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    return run_on_engine(
        call.Env(), cancel_argument(call[2]),
        [loaded = model_argument(call[0]),
         mel = float_tensor_argument(call[1], "mel")](const CancelToken& cancel) {
          return [result = loaded->model->encode(mel, cancel)](Napi::Env env) -> Napi::Value {
            Napi::Object object = Napi::Object::New(env);
            object.Set("mu", to_object(env, result.first));
            object.Set("logvar", to_object(env, result.second));
            return object;
          };
        });
  });
}

// waveformToMel(spectrogram, waveform, cancel?)
Napi::Value waveform_to_mel(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    return run_on_engine(
        call.Env(), cancel_argument(call[2]),
        [loaded = spectrogram_argument(call[0]),
         waveform = float_tensor_argument(call[1], "waveform")](const CancelToken& cancel) {
          return [mel = loaded->spectrogram->waveform_to_mel(waveform, cancel)](
                     Napi::Env env) -> Napi::Value { return to_object(env, mel); };
        });
  });
}

// melToWaveform(spectrogram, mel, seed, cancel?)
Napi::Value mel_to_waveform(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    return run_on_engine(
        call.Env(), cancel_argument(call[3]),
        [loaded = spectrogram_argument(call[0]), mel = float_tensor_argument(call[1], "mel"),
         seed = seed_argument(call[2])](const CancelToken& cancel) {
          return [waveform = loaded->spectrogram->mel_to_waveform(mel, seed, cancel)](
                     Napi::Env env) -> Napi::Value { return to_object(env, waveform); };
        });
  });
}

// attachBackend(backend): `backend` comes from sda_libtorch.node of the same version.
Napi::Value attach_backend(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    if (!call[0].IsExternal())
      throw Error(ErrorCode::kArgument, "no backend").with("option", "backend");
    engine::attach_backend(*call[0].As<Napi::External<engine::backend::Interface>>().Data());
    return call.Env().Undefined();
  });
}

// dispose(model, spectrogram)
Napi::Value dispose(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    return dispose_model(call.Env(), call[0], call[1]);
  });
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  Environment::install(env);
  const auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  exports.Set("version", SDA_VERSION);
  add("registerClasses", register_classes);
  add("createCancelToken", create_cancel_token);
  add("open", open);
  add("openAtOnce", open_at_once);
  add("attachBackend", attach_backend);
  add("createModel", create_model);
  add("stateDict", state_dict_of);
  add("save", save_model);
  add("decode", decode);
  add("encode", encode);
  add("waveformToMel", waveform_to_mel);
  add("melToWaveform", mel_to_waveform);
  add("resample", resample);
  add("generate", generate);
  add("generationLimits", generation_limits);
  add("audioFormat", audio_format);
  add("startStream", start_stream);
  add("nextPiece", next_piece);
  add("closeStream", close_stream);
  add("configureEngine", configure_engine);
  add("dispose", dispose);
  add("stopWork", stop_all_work);
  return exports;
}

}  // namespace

NODE_API_MODULE(sda_engine, initialise)

}  // namespace sda::addon
