// Griffin-Lim for windows of a power of two: eight frames at a time, which stay in the nearest
// caches from the wave of one iteration to that of the next.
#pragma once

#include <ATen/core/Tensor.h>

#include "checkpoint/cancel.h"
#include "engine/spectrum/stft.h"

namespace sda::engine {

// Whether these windows and this hop are among them: a block of eight frames must overlap with its
// neighbours only.
bool fits_lanes(const Stft& stft);

// As griffin_lim, for a stft that fits.
at::Tensor lane_griffin_lim(const Stft& stft, const at::Tensor& magnitude, const at::Tensor& phase,
                            const CancelToken& cancel);

}  // namespace sda::engine
