// Griffin-Lim by ATen's operators, on any device.
#pragma once

#include <ATen/core/Tensor.h>

#include "checkpoint/cancel.h"
#include "engine/spectrum/stft.h"

namespace sda::libtorch {

// magnitude: [B, bins, frames] float32; phase: [B, bins, frames] complex64, the first guess
// → [B, (frames − 1)·hop] float32, all on one device. See engine/spectrum/griffin_lim.h.
at::Tensor griffin_lim(const engine::Stft& stft, const at::Tensor& magnitude,
                       const at::Tensor& phase, int iterations, const CancelToken& cancel);

}  // namespace sda::libtorch
