#include "engine/device_backend.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "checkpoint/error.h"
#include "engine/float_tensor.h"
#include "engine/kernels.h"
#include "engine/network/conv_vae.h"

namespace sda::engine {
namespace {

using backend::Interface;
using backend::Outcome;
using backend::Status;

void check(const Status& status) {
  if (status.outcome == Outcome::kDone) return;
  if (status.outcome == Outcome::kCancelled) throw Cancelled();
  Error error(static_cast<ErrorCode>(status.code), status.message);
  if (status.device[0] != '\0') error.with("device", std::string(status.device));
  throw error;
}

backend::Spectrum plain(const SpectrogramConfig& config) {
  return {config.sample_rate, config.n_fft,
          config.hop_length,  config.n_mels,
          config.f_min,       config.f_max.value_or(static_cast<double>(config.sample_rate) / 2.0),
          config.power};
}

class DeviceModel final : public Model {
 public:
  DeviceModel(const Interface& library, const VaeShape& shape, const SpectrogramConfig& config,
              VaeWeights weights, std::string device)
      : library_(library), shape_(shape), weights_(std::move(weights)), device_(std::move(device)) {
    std::vector<Parameter> parameters;
    for_each_parameter(weights_, [&](Parameter& parameter) { parameters.push_back(parameter); });
    const backend::NetworkData data = {static_cast<std::int32_t>(shape.network), shape.latent_dim,
                                       plain(config), parameters.data(),
                                       static_cast<std::int64_t>(parameters.size())};
    Status status;
    handle_ = {library.create_network(&data, device_.c_str(), &status), library.destroy_network};
    check(status);
    if (device_ != "cpu") weights_.owners.clear();
  }

  std::int64_t latent_dim() const override { return shape_.latent_dim; }
  std::int64_t channels() const override { return shape_.channels(); }
  bool has_encoder() const override { return weights_.has_encoder; }
  std::string device() const override { return device_; }
  std::int64_t byte_size() const override { return weights_.bytes; }

  FloatTensor decode(const FloatTensor& z, const CancelToken& cancel) const override {
    check_shape(z, {-1, shape_.latent_dim}, "z");
    FloatTensor mel = make_tensor({z.shape[0], shape_.channels(), shape_.n_mels, shape_.frames});
    Status status;
    library_.decode(handle_.get(), z.data.get(), z.shape[0], mel.data.get(), &cancel.flag(),
                    &status);
    check(status);
    return mel;
  }

  std::pair<FloatTensor, FloatTensor> encode(const FloatTensor& mel,
                                             const CancelToken& cancel) const override {
    check_encoder(weights_);
    check_shape(mel, {-1, shape_.channels(), shape_.n_mels, shape_.frames}, "mel");
    FloatTensor mu = make_tensor({mel.shape[0], shape_.latent_dim});
    FloatTensor logvar = make_tensor(mu.shape);
    Status status;
    library_.encode(handle_.get(), mel.data.get(), mel.shape[0], mu.data.get(), logvar.data.get(),
                    &cancel.flag(), &status);
    check(status);
    return {std::move(mu), std::move(logvar)};
  }

 private:
  const Interface& library_;
  VaeShape shape_;
  VaeWeights weights_;  // on the CPU, the network uses their memory
  std::string device_;
  std::shared_ptr<const backend::Network> handle_;
};

std::vector<backend::VocoderLayerData> layers_of(const VocoderConfig& config,
                                                 const VocoderWeights& weights) {
  std::vector<backend::VocoderLayerData> layers;
  const auto add = [&](const VocoderLayer& layer, std::int64_t dilation, std::int64_t rate) {
    const std::size_t outputs = rate == 0 ? 0 : 1;
    layers.push_back({layer.weight.data(), layer.bias.data(), layer.shape[1 - outputs],
                      layer.shape[outputs], layer.shape[2], dilation, rate});
  };
  add(weights.pre, 1, 0);
  const std::size_t blocks = config.resblock_kernel_sizes.size();
  for (std::size_t i = 0; i < weights.ups.size(); ++i) {
    add(weights.ups[i], 1, config.upsample_rates[i]);
    for (std::size_t k = 0; k < blocks; ++k) {
      const std::vector<VocoderLayer>& block = weights.blocks[i * blocks + k];
      for (std::size_t j = 0; j < block.size(); ++j)
        add(block[j], j % 2 == 0 ? config.resblock_dilations[k][j / 2] : 1, 0);
    }
  }
  add(weights.post, 1, 0);
  return layers;
}

class DeviceVocoder final : public Vocoder {
 public:
  DeviceVocoder(const Interface& library, const VocoderConfig& config,
                const VocoderWeights& weights, const std::string& device)
      : Vocoder(config, weights), library_(library) {
    const std::vector<backend::VocoderLayerData> layers = layers_of(config, weights);
    std::vector<std::int64_t> block_layers;
    for (const auto& dilations : config.resblock_dilations)
      block_layers.push_back(2 * static_cast<std::int64_t>(dilations.size()));
    const backend::VocoderData data = {config.num_mels,
                                       config.hop_length,
                                       static_cast<std::int64_t>(config.upsample_rates.size()),
                                       block_layers.data(),
                                       static_cast<std::int64_t>(block_layers.size()),
                                       layers.data(),
                                       static_cast<std::int64_t>(layers.size())};
    Status status;
    handle_ = {library.create_vocoder(&data, device.c_str(), &status), library.destroy_vocoder};
    check(status);
  }

  // A library may choose another kernel for another length.
  bool shares_windows() const override { return false; }

  // Each layer pads its input with zeros at both ends, of the window instead of the mel: that
  // changes no more than the context, which is dropped.
  void render(const MelWindow& mel, std::int64_t begin, std::int64_t end,
              float* wave) const override {
    const std::int64_t from = std::max<std::int64_t>(0, begin - context());
    const std::int64_t frames = std::min(mel.total, end + context()) - from;
    const FloatTensor amplitudes = make_tensor({config_.num_mels, frames});
    for (std::int64_t m = 0; m < config_.num_mels; ++m)
      kernels::expm1_positive(mel.data + m * mel.stride + (from - mel.first),
                              amplitudes.data.get() + m * frames, frames);
    const FloatTensor made = make_tensor({samples(frames)});
    Status status;
    library_.render(handle_.get(), amplitudes.data.get(), frames, made.data.get(), &status);
    check(status);
    std::copy_n(made.data.get() + samples(begin - from), samples(end - begin), wave);
  }

 private:
  const Interface& library_;
  std::shared_ptr<const backend::Vocoder> handle_;
};

}  // namespace

DeviceResynthesis::DeviceResynthesis(const Interface& library, const SpectrogramConfig& config,
                                     int iterations, const std::string& device)
    : library_(library), hop_length_(config.hop_length) {
  const backend::Spectrum spectrum = plain(config);
  Status status;
  handle_ = {library.create_resynthesis(&spectrum, iterations, device.c_str(), &status),
             library.destroy_resynthesis};
  check(status);
}

FloatTensor DeviceResynthesis::rebuild(const FloatTensor& mel, const FloatTensor& phases,
                                       const CancelToken& cancel) const {
  const std::int64_t items = mel.shape[0], frames = mel.shape[3];
  FloatTensor wave = make_tensor({items, (frames - 1) * hop_length_});
  Status status;
  library_.rebuild(handle_.get(), mel.data.get(), phases.data.get(), items, frames, wave.data.get(),
                   &cancel.flag(), &status);
  check(status);
  return wave;
}

std::string resolve_on(const Interface& library, const std::string& device) {
  char found[backend::kDeviceNameBytes] = {};
  Status status;
  library.resolve(device.c_str(), &found, &status);
  check(status);
  return found;
}

std::shared_ptr<const Model> create_model_on(const Interface& library, const VaeShape& shape,
                                             const SpectrogramConfig& config, VaeWeights weights,
                                             const std::string& device) {
  return std::make_shared<DeviceModel>(library, shape, config, std::move(weights), device);
}

std::shared_ptr<const LocalSynthesis> create_vocoder_on(const Interface& library,
                                                        const VocoderConfig& config,
                                                        const VocoderWeights& weights,
                                                        const std::string& device) {
  return std::make_shared<DeviceVocoder>(library, config, weights, device);
}

}  // namespace sda::engine
