// The ConvVAE's tensors: their names and shapes, and reading them from a state dict.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "engine/engine.h"

namespace sda::engine {

// float32, row-major; VaeWeights::owners owns the memory.
struct Parameter {
  const float* data = nullptr;
  std::int64_t numel = 0;
};

struct BatchNorm {
  Parameter weight, bias, running_mean, running_var;
};

struct Affine {
  Parameter weight, bias;
};

// The sizes that the layers' shapes follow from.
struct VaeShape {
  VaeShape(std::int64_t latent_size, const SpectrogramConfig& config);

  std::int64_t latent_dim;
  std::int64_t n_mels;
  std::int64_t frames;
  std::int64_t small_height;  // padded n_mels / 16
  std::int64_t small_width;   // padded frames / 16
  std::int64_t features() const { return 256 * small_height * small_width; }
};

struct VaeWeights {
  std::array<Affine, 4> convs;
  std::array<BatchNorm, 4> conv_norms;
  Affine fc_mu, fc_logvar;
  bool has_encoder = false;

  Affine fc;
  std::array<Affine, 4> deconvs;
  std::array<BatchNorm, 3> deconv_norms;

  std::vector<std::shared_ptr<const void>> owners;  // own the parameters' memory
  std::int64_t bytes = 0;
};

// Throws kSchema with detail "tensor" for an unexpected name, shape or element type. Row-major
// float32 tensors are not copied: the result shares ownership of their memory.
VaeWeights collect_weights(const StateDict& state, const VaeShape& shape);

// Calls f for each parameter in a fixed order. A parameter that the model lacks has no data.
template <typename F>
void for_each_parameter(VaeWeights& weights, const F& f) {
  const auto affine = [&](Affine& layer) {
    f(layer.weight);
    f(layer.bias);
  };
  const auto norm = [&](BatchNorm& layer) {
    f(layer.weight);
    f(layer.bias);
    f(layer.running_mean);
    f(layer.running_var);
  };
  for (Affine& layer : weights.convs) affine(layer);
  for (BatchNorm& layer : weights.conv_norms) norm(layer);
  affine(weights.fc_mu);
  affine(weights.fc_logvar);
  affine(weights.fc);
  for (Affine& layer : weights.deconvs) affine(layer);
  for (BatchNorm& layer : weights.deconv_norms) norm(layer);
}

}  // namespace sda::engine
