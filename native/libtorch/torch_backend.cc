#include "libtorch/torch_backend.h"

#include <ATen/TensorOperators.h>
#include <ATen/Version.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/view_as_complex.h>
#include <c10/core/InferenceMode.h>
#include <torch/headeronly/version.h>

#include <mutex>
#include <utility>

#include "libtorch/device.h"
#include "libtorch/tensors.h"
#include "libtorch/threads.h"
#include "libtorch/torch_griffin_lim.h"
#include "libtorch/torch_vae.h"

namespace sda::libtorch {
namespace {

using engine::FloatTensor;

// The version of the loaded library, which may differ from the version of the headers. Its build
// settings contain "…, TORCH_VERSION=2.13.0, …".
std::string loaded_version() {
  const std::string settings = at::show_config();
  const std::string key = "TORCH_VERSION=";
  const std::size_t at = settings.find(key);
  if (at == std::string::npos) return TORCH_VERSION;
  const std::size_t begin = at + key.size();
  return settings.substr(begin, settings.find_first_of(", \n", begin) - begin);
}

class TorchResynthesis final : public engine::Resynthesis {
 public:
  TorchResynthesis(std::shared_ptr<const engine::SpectralTables> tables, double power,
                   c10::Device device)
      : tables_(std::move(tables)), power_(power), device_(device) {}

  FloatTensor rebuild(const FloatTensor& mel, const FloatTensor& phases,
                      const CancelToken& cancel) const override {
    const c10::InferenceMode guard;
    prepare_thread();
    // Metal has no double precision.
    const at::Tensor loud = view_of(mel).squeeze(1).to(device_.is_mps() ? at::kCPU : device_);
    const at::Tensor magnitude = magnitude_of(loud, cancel).to(device_);
    cancel.throw_if_cancelled();
    const at::Tensor drawn = at::view_as_complex(view_of(phases));
    // The copy from pinned memory runs while the device computes the spectrum.
    const at::Tensor first =
        device_.is_cuda() ? drawn.pin_memory().to(device_, true) : drawn.to(device_);
    return to_float_tensor(griffin_lim(tables_->stft, magnitude, first, cancel));
  }

 private:
  at::Tensor magnitude_of(const at::Tensor& mel, const CancelToken& cancel) const {
    const at::Tensor power = mel.clamp_min(0).to(at::kDouble).expm1_().to(at::kFloat);
    const at::Tensor found = at::matmul(solution_on(mel.device(), cancel), power.to(at::kDouble));
    const at::Tensor magnitude = found.clamp_min(0).to(at::kFloat);
    return power_ == 2.0 ? magnitude.sqrt() : magnitude.pow(1.0 / power_);
  }

  at::Tensor solution_on(c10::Device device, const CancelToken& cancel) const {
    const auto matrix = tables_->mel_scale.solution(cancel);
    const std::lock_guard lock(mutex_);
    if (!solution_.defined()) {
      const std::int64_t bins = tables_->stft.bins();
      const auto mels = static_cast<std::int64_t>(matrix->size()) / bins;
      solution_ = at::from_blob(const_cast<double*>(matrix->data()), {bins, mels},
                                at::TensorOptions(at::kDouble))
                      .to(device, at::kDouble, /*non_blocking=*/false, /*copy=*/true);
    }
    return solution_;
  }

  std::shared_ptr<const engine::SpectralTables> tables_;
  double power_;
  c10::Device device_;
  mutable std::mutex mutex_;     // guards solution_
  mutable at::Tensor solution_;  // of the mel scale, on the device
};

class TorchBackend final : public engine::DeviceBackend {
 public:
  std::string version() const override { return loaded_version(); }
  int cuda_devices() const override { return cuda_state().devices; }
  std::string resolve(const std::string& device) const override {
    return choose_device(device).str();
  }
  std::shared_ptr<const engine::Model> create_model(const engine::VaeShape& shape,
                                                    engine::VaeWeights weights,
                                                    const std::string& device) const override {
    return std::make_shared<TorchVae>(shape, std::move(weights), choose_device(device));
  }
  std::shared_ptr<const engine::Resynthesis> create_resynthesis(
      std::shared_ptr<const engine::SpectralTables> tables, double power,
      const std::string& device) const override {
    return std::make_shared<TorchResynthesis>(std::move(tables), power, choose_device(device));
  }
};

}  // namespace

const engine::DeviceBackend& torch_backend() {
  static const TorchBackend* const made = new TorchBackend;
  return *made;
}

}  // namespace sda::libtorch
