#include "engine/device_backend.h"

#include <utility>
#include <vector>

#include "checkpoint/error.h"
#include "engine/float_tensor.h"
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
    const backend::NetworkData data = {shape.latent_dim, plain(config), parameters.data(),
                                       static_cast<std::int64_t>(parameters.size())};
    Status status;
    handle_ = {library.create_network(&data, device_.c_str(), &status), library.destroy_network};
    check(status);
    if (device_ != "cpu") weights_.owners.clear();
  }

  std::int64_t latent_dim() const override { return shape_.latent_dim; }
  bool has_encoder() const override { return weights_.has_encoder; }
  std::string device() const override { return device_; }
  std::int64_t byte_size() const override { return weights_.bytes; }

  FloatTensor decode(const FloatTensor& z, const CancelToken& cancel) const override {
    check_shape(z, {-1, shape_.latent_dim}, "z");
    FloatTensor mel = make_tensor({z.shape[0], 1, shape_.n_mels, shape_.frames});
    Status status;
    library_.decode(handle_.get(), z.data.get(), z.shape[0], mel.data.get(), &cancel.flag(),
                    &status);
    check(status);
    return mel;
  }

  std::pair<FloatTensor, FloatTensor> encode(const FloatTensor& mel,
                                             const CancelToken& cancel) const override {
    check_encoder(weights_);
    check_shape(mel, {-1, 1, shape_.n_mels, shape_.frames}, "mel");
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

}  // namespace

DeviceResynthesis::DeviceResynthesis(const Interface& library, const SpectrogramConfig& config,
                                     const std::string& device)
    : library_(library), hop_length_(config.hop_length) {
  const backend::Spectrum spectrum = plain(config);
  Status status;
  handle_ = {library.create_resynthesis(&spectrum, device.c_str(), &status),
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

}  // namespace sda::engine
