#include "addon/marshal/outline.h"

#include <algorithm>

#include "addon/environment.h"
#include "addon/marshal/program.h"

namespace sda::addon {
namespace {

constexpr std::string_view kFirstLayer = "model_state_dict.decoder.deconvs.0.weight";

bool is_weights(std::string_view key) {
  return key == kStateDict || key == kPriorStateDict || key == kVocoderState;
}

Napi::Value layer_shape(Napi::Env env, const Document& document) {
  const Value* const found = find_value(document, kFirstLayer);
  const auto* const tensor = found == nullptr ? nullptr : found->as<Tensor>();
  if (tensor == nullptr) return env.Null();
  Napi::Array shape = Napi::Array::New(env, tensor->shape.size());
  for (std::uint32_t d = 0; d < tensor->shape.size(); ++d)
    shape.Set(d, static_cast<double>(tensor->shape[d]));
  return shape;
}

}  // namespace

EntryPath vocoder_checkpoint() { return {std::string(kVocoderState), "checkpoint"}; }

Napi::Object outline(Napi::Env env, const std::shared_ptr<const Document>& document,
                     const std::string& path, const std::vector<std::string>* only) {
  try {
    const auto values = [&](const Value& value, auto wanted) {
      ProgramWriter writer(*document, ProgramWriter::Purpose::kReading,
                           Environment::of(env).max_buffer_bytes);
      writer.top(value, wanted);
      return values_of(env, writer.finish(path));
    };
    Napi::Object result = Napi::Object::New(env);
    result.Set(
        "content", values(document->root(), [&](std::string_view key) {
          return !is_weights(key) &&
                 (only == nullptr || std::find(only->begin(), only->end(), key) != only->end());
        }));
    if (const Value* const vocoder = find_value(*document, kVocoderState))
      result.Set("vocoder", values(*vocoder, [](std::string_view key) {
                   return key != "generator_state_dict" && key != "checkpoint";
                 }));
    result.Set("layerShape", layer_shape(env, *document));
    return result;
  } catch (Error& error) {
    error.with("path", path);
    throw;
  }
}

}  // namespace sda::addon
