// The ConvVAE by ATen's operators, on any device.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include "checkpoint/cancel.h"
#include "engine/network/vae_weights.h"

namespace sda::libtorch {

class TorchVae {
 public:
  // Copies the weights to devices other than the CPU. On the CPU it uses their memory, which must
  // live as long as this object.
  TorchVae(const engine::VaeShape& shape, engine::VaeWeights weights, c10::Device device);

  // See backend_interface.h.
  void decode(const float* z, std::int64_t items, float* mel, const CancelToken& cancel) const;
  void encode(const float* mel, std::int64_t items, float* mu, float* logvar,
              const CancelToken& cancel) const;

 private:
  at::Tensor tensor(const engine::Parameter& parameter, at::IntArrayRef shape) const;
  at::Tensor normalise(const at::Tensor& x, const engine::BatchNorm& norm) const;
  at::Tensor activate(at::Tensor x) const;
  at::Tensor apply_linear(const at::Tensor& x, const engine::Affine& layer) const;

  engine::VaeShape shape_;
  engine::VaeWeights weights_;  // on the device
  c10::Device device_;
};

}  // namespace sda::libtorch
