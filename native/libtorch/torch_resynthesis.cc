#include "libtorch/torch_resynthesis.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/view_as_complex.h>
#include <c10/core/InferenceMode.h>

#include <utility>

#include "libtorch/tensors.h"
#include "libtorch/threads.h"
#include "libtorch/torch_griffin_lim.h"

namespace sda::libtorch {

TorchResynthesis::TorchResynthesis(std::shared_ptr<const engine::SpectralTables> tables,
                                   std::int64_t n_mels, double power, int iterations,
                                   c10::Device device)
    : tables_(std::move(tables)),
      n_mels_(n_mels),
      power_(power),
      iterations_(iterations),
      device_(device) {}

void TorchResynthesis::rebuild(const float* mel, const float* phases, std::int64_t items,
                               std::int64_t frames, float* wave, const CancelToken& cancel) const {
  const c10::InferenceMode guard;
  prepare_thread();
  // Metal has no double precision.
  const at::Tensor loud =
      view_of(mel, {items, n_mels_, frames}).to(device_.is_mps() ? at::kCPU : device_);
  const at::Tensor magnitude = magnitude_of(loud, cancel).to(device_);
  cancel.throw_if_cancelled();
  const at::Tensor drawn =
      at::view_as_complex(view_of(phases, {items, tables_->stft.bins(), frames, 2}));
  // The copy from pinned memory runs while the device computes the spectrum.
  const at::Tensor first =
      device_.is_cuda() ? drawn.pin_memory().to(device_, true) : drawn.to(device_);
  copy_to(wave, griffin_lim(tables_->stft, magnitude, first, iterations_, cancel));
}

at::Tensor TorchResynthesis::magnitude_of(const at::Tensor& mel, const CancelToken& cancel) const {
  const at::Tensor power = mel.clamp_min(0).to(at::kDouble).expm1_().to(at::kFloat);
  const at::Tensor found = at::matmul(solution_on(mel.device(), cancel), power.to(at::kDouble));
  const at::Tensor magnitude = found.clamp_min(0).to(at::kFloat);
  return power_ == 2.0 ? magnitude.sqrt() : magnitude.pow(1.0 / power_);
}

at::Tensor TorchResynthesis::solution_on(c10::Device device, const CancelToken& cancel) const {
  const auto matrix = tables_->mel_scale.solution(cancel);
  const std::lock_guard lock(mutex_);
  if (!solution_.defined()) {
    solution_ = at::from_blob(const_cast<double*>(matrix->data()), {tables_->stft.bins(), n_mels_},
                              at::TensorOptions(at::kDouble))
                    .to(device, at::kDouble, /*non_blocking=*/false, /*copy=*/true);
  }
  return solution_;
}

}  // namespace sda::libtorch
