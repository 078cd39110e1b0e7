#include "engine/network/vae_weights.h"

#include <array>
#include <string>

#include "engine/config.h"

namespace sda::engine {
namespace {

constexpr std::array<std::int64_t, 5> kFourLayers = {1, 32, 64, 128, 256};
constexpr std::array<std::int64_t, 6> kFiveLayers = {2, 64, 128, 256, 512, 1024};

}  // namespace

VaeShape::VaeShape(Network the_network, std::int64_t latent_size, const SpectrogramConfig& config)
    : network(the_network),
      latent_dim(latent_size),
      n_mels(config.n_mels),
      frames(model_frames(config)),
      layers(network == Network::kComplex ? 5 : 4),
      small_height(halved(n_mels, layers)),
      small_width(halved(frames, layers)) {}

std::int64_t VaeShape::layer_channels(std::int64_t layer) const {
  const auto at = static_cast<std::size_t>(layer);
  return network == Network::kComplex ? kFiveLayers.at(at) : kFourLayers.at(at);
}

void collect_convs(WeightCollector& collect, const VaeShape& shape, ConvStack& stack) {
  for (std::int64_t i = 0; i < shape.layers; ++i) {
    const std::int64_t inputs = shape.layer_channels(i), outputs = shape.layer_channels(i + 1);
    const std::string prefix = "encoder.convs.";
    const auto at = static_cast<std::size_t>(i);
    collect.affine(prefix + std::to_string(4 * i), {outputs, inputs, 3, 3}, outputs,
                   stack.convs[at]);
    collect.norm(prefix + std::to_string(4 * i + 1), outputs, stack.conv_norms[at]);
  }
}

void collect_deconvs(WeightCollector& collect, const VaeShape& shape, ConvStack& stack) {
  for (std::int64_t i = 0; i < shape.layers; ++i) {
    const std::int64_t inputs = shape.layer_channels(shape.layers - i);
    const std::int64_t outputs = shape.layer_channels(shape.layers - i - 1);
    const std::string prefix = "decoder.deconvs.";
    const auto at = static_cast<std::size_t>(i);
    collect.affine(prefix + std::to_string(4 * i), {inputs, outputs, 3, 3}, outputs,
                   stack.deconvs[at]);
    if (at < stack.deconv_norms.size())
      collect.norm(prefix + std::to_string(4 * i + 1), outputs, stack.deconv_norms[at]);
  }
}

VaeWeights collect_weights(const StateDict& state, const VaeShape& shape) {
  VaeWeights weights(shape.layers);
  WeightCollector collect(state, "a ConvVAE", "", weights);

  weights.has_encoder = collect.has("encoder.fc_mu.weight");
  // In a decoder-only file, the Python program leaves out the encoder's last layers, and sometimes
  // all of the encoder.
  collect.set_lenient(!weights.has_encoder);
  collect_convs(collect, shape, weights);
  collect.affine("encoder.fc_mu", {shape.latent_dim, shape.features()}, shape.latent_dim,
                 weights.fc_mu);
  collect.affine("encoder.fc_logvar", {shape.latent_dim, shape.features()}, shape.latent_dim,
                 weights.fc_logvar);

  collect.set_lenient(false);
  collect.affine("decoder.fc", {shape.features(), shape.latent_dim}, shape.features(), weights.fc);
  collect_deconvs(collect, shape, weights);
  collect.finish();
  return weights;
}

}  // namespace sda::engine
