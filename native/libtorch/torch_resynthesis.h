// Log-mel spectrograms → waves by ATen's operators, on any device.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <memory>
#include <mutex>

#include "checkpoint/cancel.h"
#include "engine/spectrum/spectral_tables.h"

namespace sda::libtorch {

class TorchResynthesis {
 public:
  TorchResynthesis(std::shared_ptr<const engine::SpectralTables> tables, std::int64_t n_mels,
                   double power, int iterations, c10::Device device);

  // See backend_interface.h.
  void rebuild(const float* mel, const float* phases, std::int64_t items, std::int64_t frames,
               float* wave, const CancelToken& cancel) const;

 private:
  at::Tensor magnitude_of(const at::Tensor& mel, const CancelToken& cancel) const;
  at::Tensor solution_on(c10::Device device, const CancelToken& cancel) const;

  std::shared_ptr<const engine::SpectralTables> tables_;
  std::int64_t n_mels_;
  double power_;
  int iterations_;
  c10::Device device_;
  mutable std::mutex mutex_;     // guards solution_
  mutable at::Tensor solution_;  // of the mel scale, on the device
};

}  // namespace sda::libtorch
