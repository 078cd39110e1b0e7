// The tensors of the programs' convolutional networks: names, shapes, reading from a state dict.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/engine.h"
#include "engine/network/weight_collector.h"

namespace sda::engine {

// The sizes that the layers' shapes follow from.
struct VaeShape {
  VaeShape(Network the_network, std::int64_t latent_size, const SpectrogramConfig& config);

  Network network;
  std::int64_t latent_dim;
  std::int64_t n_mels;
  std::int64_t frames;
  std::int64_t layers;        // of the encoder, and of the decoder
  std::int64_t small_height;  // n_mels padded to a multiple of 2^layers, divided by it
  std::int64_t small_width;   // the same of frames
  std::int64_t channels() const { return layer_channels(0); }
  // Channels after this many layers of the encoder.
  std::int64_t layer_channels(std::int64_t layer) const;
  std::int64_t features() const { return layer_channels(layers) * small_height * small_width; }
};

// Convolutions that halve a picture, and those that double it.
struct ConvStack {
  explicit ConvStack(std::int64_t layers)
      : convs(static_cast<std::size_t>(layers)),
        conv_norms(convs.size()),
        deconvs(convs.size()),
        deconv_norms(convs.size() - 1) {}

  std::vector<Affine> convs;
  std::vector<BatchNorm> conv_norms;
  std::vector<Affine> deconvs;
  std::vector<BatchNorm> deconv_norms;  // the last layer has none
};

struct VaeWeights : ConvStack, Memory {
  explicit VaeWeights(std::int64_t layers) : ConvStack(layers) {}

  Affine fc_mu, fc_logvar;
  bool has_encoder = false;
  Affine fc;
};

// Takes the tensors encoder.convs.* and decoder.deconvs.*.
void collect_convs(WeightCollector& collect, const VaeShape& shape, ConvStack& stack);
void collect_deconvs(WeightCollector& collect, const VaeShape& shape, ConvStack& stack);

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
