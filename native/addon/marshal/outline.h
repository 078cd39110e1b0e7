// A model file's content without its weights, as JavaScript gets it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "addon/marshal/values.h"
#include "checkpoint/checkpoint.h"

namespace sda::addon {

// Keys of dicts of weights. Their tensors are the network's.
inline constexpr std::string_view kStateDict = "model_state_dict";
inline constexpr std::string_view kPriorStateDict = "prior_state_dict";
inline constexpr std::string_view kVocoderState = "vocoder_state";
inline constexpr std::string_view kVocoderStateDict = "vocoder_state.generator_state_dict";
// What a cancelled training of a vocoder keeps in the file: no sound needs it, and it may have a
// gigabyte.
EntryPath vocoder_checkpoint();

// { content, vocoder, layerShape }
// - content: the top-level dict without the dicts above; only the keys of `only`, if given
// - vocoder: vocoder_state without its dicts of tensors; undefined where there is none
// - layerShape: the shape of the decoder's first convolution; null where there is none
// Errors have the detail "path".
Napi::Object outline(Napi::Env env, const std::shared_ptr<const Document>& document,
                     const std::string& path, const std::vector<std::string>* only);

}  // namespace sda::addon
