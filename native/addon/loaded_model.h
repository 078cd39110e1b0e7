// A loaded model: the file's bytes, and the networks and tables that use them.
//
// Lifetime: the JavaScript handle and every running job share the model. dispose() takes it from
// the handle, so new work is refused at once; running work keeps it until it ends.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>

#include "checkpoint/checkpoint.h"
#include "engine/engine.h"

namespace sda::addon {

struct LoadedModel {
  LoadedModel() = default;
  // Throw kArgument where the model is of another kind.
  const engine::Model& vae() const;
  const engine::CodeModel& codes() const;
  std::int64_t byte_size() const;
  ~LoadedModel() {
    if (destroyed) destroyed();
  }
  LoadedModel(const LoadedModel&) = delete;
  LoadedModel& operator=(const LoadedModel&) = delete;

  std::shared_ptr<const Document> document;
  engine::Instrument instrument;
  // Called when the last user releases the model, on that user's thread.
  std::function<void()> destroyed;
};

Napi::Object wrap_model(Napi::Env env, std::shared_ptr<LoadedModel> loaded);
Napi::Object wrap_spectrogram(Napi::Env env, const std::shared_ptr<LoadedModel>& loaded);

// The model behind a handle; throws kDisposed after dispose().
std::shared_ptr<LoadedModel> model_argument(const Napi::Value& value);
std::shared_ptr<LoadedModel> spectrogram_argument(const Napi::Value& value);

// What makes the sound, and the models that it is part of.
struct InstrumentArgument {
  engine::Instrument instrument;
  std::shared_ptr<const void> owner;
};
// Reads `vocoder` of generation options: "auto", "model", "griffin_lim" or another model's handle.
// Throws kArgument for one that the model cannot have.
InstrumentArgument instrument_argument(const std::shared_ptr<LoadedModel>& loaded,
                                       const Napi::Value& options);

// Takes the model from both handles. The promise resolves when its memory is free.
Napi::Promise dispose_model(Napi::Env env, const Napi::Value& model,
                            const Napi::Value& spectrogram);

// generate(model, spectrogram, options, onProgress, cancel?)
Napi::Value generate(const Napi::CallbackInfo& info);
// audioFormat(model, options)
Napi::Value audio_format(const Napi::CallbackInfo& info);
// startStream(model, spectrogram, options, onProgress, cancel?), nextPiece(stream, bits?)
// and closeStream(stream)
Napi::Value start_stream(const Napi::CallbackInfo& info);
Napi::Value next_piece(const Napi::CallbackInfo& info);
Napi::Value close_stream(const Napi::CallbackInfo& info);

}  // namespace sda::addon
