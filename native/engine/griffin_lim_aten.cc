#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/hann_window.h>
#include <ATen/ops/istft.h>
#include <ATen/ops/stft.h>
#include <ATen/ops/zeros_like.h>

#include "engine/griffin_lim.h"

namespace sda::engine {

at::Tensor griffin_lim_aten(const Stft& stft, const at::Tensor& magnitude, const at::Tensor& phase,
                            const CancelToken& cancel) {
  const double momentum = kGriffinLimMomentum / (1.0 + kGriffinLimMomentum);
  const std::int64_t n_fft = stft.n_fft();
  const at::Tensor window =
      at::hann_window(n_fft, /*periodic=*/true, at::TensorOptions(magnitude.device()));
  const auto synthesise = [&](const at::Tensor& angles) {
    return at::istft(magnitude * angles, n_fft, stft.hop(), n_fft, window, /*center=*/true,
                     /*normalized=*/false, /*onesided=*/true);
  };
  at::Tensor angles = phase;
  at::Tensor previous = at::zeros_like(phase);
  for (int i = 0; i < kGriffinLimIterations; ++i) {
    cancel.throw_if_cancelled();
    at::Tensor rebuilt =
        at::stft(synthesise(angles), n_fft, stft.hop(), n_fft, window, /*center=*/true,
                 /*pad_mode=*/"reflect", /*normalized=*/false, /*onesided=*/true,
                 /*return_complex=*/true);
    angles = rebuilt - previous * momentum;
    angles = angles / (angles.abs() + 1e-16);
    previous = std::move(rebuilt);
  }
  return synthesise(angles);
}

}  // namespace sda::engine
