// The description of a model that TypeScript passes to createModel().
#pragma once

#include <napi.h>

#include <optional>

#include "engine/engine.h"

namespace sda::addon {

struct ModelOptions {
  engine::SpectrogramConfig config;
  engine::Program program;
  // Of a model with a latent space:
  engine::Network network = engine::Network::kSigmoid;
  std::int64_t latent_dim = 0;
  std::optional<engine::ComplexStats> stats;
  std::optional<engine::VocoderConfig> vocoder;
  // Of a model of codes:
  std::optional<engine::CodebookConfig> codebook;
  std::optional<engine::PriorConfig> prior;

  engine::Placement placement;
};

// Places the model on its device; see engine::place().
ModelOptions model_options_argument(const Napi::Value& value);

}  // namespace sda::addon
