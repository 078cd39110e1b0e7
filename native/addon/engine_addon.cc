// sda_engine.node: opens and runs models.
#include <napi.h>

#include <memory>
#include <optional>
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
#include "addon/marshal/generate_options.h"
#include "addon/marshal/model_options.h"
#include "addon/marshal/outline.h"
#include "addon/marshal/program.h"
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

// The value that open() resolves to.
Napi::Value opened(Napi::Env env, const std::shared_ptr<const Document>& document,
                   const std::string& path) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("outline", outline(env, document, path, nullptr));
  result.Set("file", wrap_handle(env, document));
  return result;
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
          options.without = {vocoder_checkpoint()};
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
    options.without = {vocoder_checkpoint()};
    const auto document = Document::open_at_once(path, options);
    return document ? opened(call.Env(), document, path) : call.Env().Undefined();
  });
}

Napi::Value model_object(Napi::Env env, const std::shared_ptr<LoadedModel>& loaded) {
  const engine::Instrument& instrument = loaded->instrument;
  Napi::Object result = Napi::Object::New(env);
  result.Set("device", instrument.model ? instrument.model->device() : "cpu");
  result.Set("hasEncoder", instrument.codes || instrument.model->has_encoder());
  result.Set("byteLength", static_cast<double>(loaded->byte_size()));
  result.Set("spectrogram", wrap_spectrogram(env, loaded));
  result.Set("model", wrap_model(env, loaded));
  return result;
}

// The weights of a file, by their names there.
struct Weights {
  StateDict network, vocoder, prior;
};

engine::Instrument make_instrument(const ModelOptions& options, const Weights& weights) {
  engine::Instrument instrument;
  instrument.program = options.program;
  if (options.codebook) {
    std::optional<engine::CodeModel::PriorSource> prior;
    if (options.prior) prior.emplace(engine::CodeModel::PriorSource{weights.prior, *options.prior});
    instrument.codes = engine::CodeModel::create(weights.network, *options.codebook,
                                                 prior ? &*prior : nullptr, options.config);
  } else {
    instrument.model = engine::Model::create(weights.network, options.network, options.latent_dim,
                                             options.config, options.placement);
    if (options.network == engine::Network::kComplex)
      instrument.synthesis = engine::make_complex_synthesis(options.config, options.stats);
    if (options.vocoder)
      instrument.synthesis =
          engine::make_vocoder(weights.vocoder, *options.vocoder, options.placement);
  }
  instrument.spectrogram = engine::Spectrogram::create(
      options.config, options.program.griffin_lim_iterations, options.placement);
  return instrument;
}

// createModel(file, options, cancel?): moves the file out of its handle. The model then owns the
// file's memory, and dispose() frees it without waiting for a garbage collection.
Napi::Value create_model(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const auto document = std::exchange(unwrap_handle<const Document>(call[0]), nullptr);
    if (!document)
      throw Error(ErrorCode::kDisposed, "a model has been created from this file already");
    const auto options = std::make_shared<const ModelOptions>(model_options_argument(call[1]));
    const auto weights = std::make_shared<Weights>();
    weights->network = state_dict(document, kStateDict);
    if (options->vocoder) weights->vocoder = state_dict(document, kVocoderStateDict);
    if (options->prior) weights->prior = state_dict(document, kPriorStateDict);
    const auto build = [document, weights, options]() -> Finish {
      auto loaded = std::make_shared<LoadedModel>();
      loaded->document = document;
      loaded->instrument = make_instrument(*options, *weights);
      return [loaded](Napi::Env env) { return model_object(env, loaded); };
    };
    // Faster on this thread than a switch to another thread and back.
    if (!options->vocoder && !options->prior &&
        engine::Model::is_instant(weights->network, options->config, options->placement)) {
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
    ProgramWriter writer(*document, ProgramWriter::Purpose::kKeeping,
                         Environment::of(call.Env()).max_buffer_bytes);
    writer.value(*find_value(*document, kStateDict));
    return values_of(call.Env(), writer.finish({}));
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
                           return [mel = loaded->vae().decode(z, cancel)](
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
          return [result = loaded->vae().encode(mel, cancel)](Napi::Env env) -> Napi::Value {
            Napi::Object object = Napi::Object::New(env);
            object.Set("mu", to_object(env, result.first));
            object.Set("logvar", to_object(env, result.second));
            return object;
          };
        });
  });
}

// waveformToMel(spectrogram, waveform, cancel?, plain?): `plain` leaves a complex model's phases
// out, and its loudness as it is.
Napi::Value waveform_to_mel(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    return run_on_engine(
        call.Env(), cancel_argument(call[2]),
        [loaded = spectrogram_argument(call[0]), plain = call[3].ToBoolean().Value(),
         waveform = float_tensor_argument(call[1], "waveform")](const CancelToken& cancel) {
          const engine::Instrument& made_by = loaded->instrument;
          const bool is_complex = !plain && made_by.model && made_by.model->channels() == 2;
          return [mel = is_complex ? engine::analyse_complex(*made_by.synthesis, waveform, cancel)
                                   : made_by.spectrogram->waveform_to_mel(waveform, cancel)](
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
          const engine::Instrument& made_by = loaded->instrument;
          return [waveform = made_by.synthesis
                                 ? engine::render_all(*made_by.synthesis, mel, cancel)
                                 : made_by.spectrogram->mel_to_waveform(mel, seed, cancel)](
                     Napi::Env env) -> Napi::Value { return to_object(env, waveform); };
        });
  });
}

// decodeCodes(model, codes, frames?, cancel?)
Napi::Value decode_codes(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    return run_on_engine(call.Env(), cancel_argument(call[3]),
                         [loaded = model_argument(call[0]), codes = codes_argument(call[1]),
                          frames = integer_argument(call[2], "frames")](const CancelToken& cancel) {
                           return [mel = loaded->codes().decode(codes, frames, cancel)](
                                      Napi::Env env) -> Napi::Value { return to_object(env, mel); };
                         });
  });
}

// encodeCodes(model, mel, cancel?)
Napi::Value encode_codes(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    return run_on_engine(
        call.Env(), cancel_argument(call[2]),
        [loaded = model_argument(call[0]),
         mel = float_tensor_argument(call[1], "mel")](const CancelToken& cancel) {
          return [codes = loaded->codes().encode(mel, cancel)](Napi::Env env) -> Napi::Value {
            return codes_array(env, codes);
          };
        });
  });
}

// sampleCodes(model, { seed, temperature, topK, topP }, cancel?)
Napi::Value sample_codes(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    const Napi::Object object = object_argument(call[1], "options");
    const engine::SampleOptions options = sample_options_argument(object);
    return run_on_engine(call.Env(), cancel_argument(call[2]),
                         [loaded = model_argument(call[0]), options,
                          seed = seed_argument(object.Get("seed"))](const CancelToken& cancel) {
                           return [codes = loaded->codes().sample(seed, options, cancel)](
                                      Napi::Env env) -> Napi::Value {
                             return codes_array(env, codes);
                           };
                         });
  });
}

// codeLogits(model, codes, cancel?)
Napi::Value code_logits(const Napi::CallbackInfo& info) {
  return guarded(info, [](const Napi::CallbackInfo& call) -> Napi::Value {
    return run_on_engine(call.Env(), cancel_argument(call[2]),
                         [loaded = model_argument(call[0]),
                          codes = codes_argument(call[1])](const CancelToken& cancel) {
                           return
                               [logits = loaded->codes().logits(codes, cancel)](
                                   Napi::Env env) -> Napi::Value { return to_object(env, logits); };
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
  add("prepare", prepare);
  add("programText", program_text);
  add("programBuffer", program_buffer);
  add("createCancelToken", create_cancel_token);
  add("open", open);
  add("openAtOnce", open_at_once);
  add("attachBackend", attach_backend);
  add("createModel", create_model);
  add("stateDict", state_dict_of);
  add("save", save_model);
  add("decode", decode);
  add("encode", encode);
  add("decodeCodes", decode_codes);
  add("encodeCodes", encode_codes);
  add("sampleCodes", sample_codes);
  add("codeLogits", code_logits);
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
