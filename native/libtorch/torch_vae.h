// The ConvVAE by ATen's operators, on any device.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include "engine/engine.h"
#include "engine/network/vae_weights.h"

namespace sda::libtorch {

class TorchVae final : public engine::Model {
 public:
  // Copies the weights to devices other than the CPU.
  TorchVae(const engine::VaeShape& shape, engine::VaeWeights weights, c10::Device device);

  std::int64_t latent_dim() const override { return shape_.latent_dim; }
  bool has_encoder() const override { return weights_.has_encoder; }
  std::string device() const override { return device_.str(); }
  std::int64_t byte_size() const override { return weights_.bytes; }
  engine::FloatTensor decode(const engine::FloatTensor& z,
                             const CancelToken& cancel) const override;
  std::pair<engine::FloatTensor, engine::FloatTensor> encode(
      const engine::FloatTensor& mel, const CancelToken& cancel) const override;

 private:
  at::Tensor tensor(const engine::Parameter& parameter, at::IntArrayRef shape) const;
  at::Tensor normalise(const at::Tensor& x, const engine::BatchNorm& norm) const;
  at::Tensor apply_linear(const at::Tensor& x, const engine::Affine& layer) const;

  engine::VaeShape shape_;
  engine::VaeWeights weights_;  // on the device
  c10::Device device_;
};

}  // namespace sda::libtorch
