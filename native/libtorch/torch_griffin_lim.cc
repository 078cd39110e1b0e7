#include "libtorch/torch_griffin_lim.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_fft_c2r.h>
#include <ATen/ops/_fft_r2c.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/col2im.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/reflection_pad1d.h>
#include <ATen/ops/zeros_like.h>

#include <vector>

#include "engine/spectrum/griffin_lim.h"

namespace sda::libtorch {
namespace {

// ATen's numbers for norm=None and norm="forward", seen from the forward transform.
constexpr std::int64_t kUnscaled = 0;
constexpr std::int64_t kDividedBySize = 2;

// torch.stft and torch.istft without their checks: on a GPU, each of these checks waits until all
// queued work is done. Spectra are [B, frames, bins].
class DeviceStft {
 public:
  DeviceStft(const engine::Stft& stft, std::int64_t frames, at::Device device)
      : size_(stft.n_fft()),
        hop_(stft.hop()),
        samples_(stft.samples(frames)),
        window_(on(device, stft.window())),
        envelope_(on(device, stft.envelope(frames))) {}

  at::Tensor forward(const at::Tensor& wave) const {
    const std::int64_t half = size_ / 2;
    const at::Tensor padded = at::reflection_pad1d(wave, {half, half});
    return at::_fft_r2c(padded.unfold(1, size_, hop_) * window_, {2}, kUnscaled, true);
  }

  at::Tensor inverse(const at::Tensor& spectrum) const {
    const at::Tensor frames = at::_fft_c2r(spectrum, {2}, kDividedBySize, size_) * window_;
    const std::int64_t padded = samples_ + size_;
    const at::Tensor sum =
        at::col2im(frames.transpose(1, 2), {1, padded}, {1, size_}, {1, 1}, {0, 0}, {1, hop_});
    return sum.view({spectrum.size(0), padded}).narrow(1, size_ / 2, samples_) / envelope_;
  }

 private:
  static at::Tensor on(at::Device device, std::vector<float> values) {
    return at::from_blob(values.data(), {static_cast<std::int64_t>(values.size())}, at::kFloat)
        .clone()
        .to(device);
  }

  std::int64_t size_, hop_, samples_;
  at::Tensor window_, envelope_;
};

}  // namespace

at::Tensor griffin_lim(const engine::Stft& stft, const at::Tensor& magnitude,
                       const at::Tensor& phase, int iterations, const CancelToken& cancel) {
  constexpr double kPart = engine::kGriffinLimMomentum / (1.0 + engine::kGriffinLimMomentum);
  const DeviceStft transform(stft, magnitude.size(2), magnitude.device());
  const at::Tensor loud = magnitude.transpose(1, 2).contiguous();
  at::Tensor angles = phase.transpose(1, 2).contiguous();
  at::Tensor previous = at::zeros_like(angles);
  for (int i = 0; i < iterations; ++i) {
    cancel.throw_if_cancelled();
    at::Tensor rebuilt = transform.forward(transform.inverse(loud * angles));
    angles = rebuilt - previous * kPart;
    angles = angles / (angles.abs() + 1e-16);
    previous = std::move(rebuilt);
  }
  return transform.inverse(loud * angles);
}

}  // namespace sda::libtorch
