// Griffin-Lim for windows whose size is a power of two. It handles eight frames at a time, which
// stay in the first caches for a whole iteration, from wave to wave.
#pragma once

#include <functional>

#include "checkpoint/cancel.h"
#include "engine/engine.h"
#include "engine/spectrum/stft.h"

namespace sda::engine {

// Whether lane_griffin_lim supports this window and hop: a block of eight frames may overlap only
// with the blocks before and after it.
bool fits_lanes(const Stft& stft);

// As griffin_lim; fits_lanes(stft) must be true.
FloatTensor lane_griffin_lim(const Stft& stft, const FloatTensor& magnitude,
                             const FloatTensor& phase, int iterations, const CancelToken& cancel,
                             const std::function<void()>& iterated);

}  // namespace sda::engine
