// Phase reconstruction: the fast Griffin-Lim algorithm (Perraudin, Balazs, Søndergaard 2013, "A
// fast Griffin-Lim algorithm"), in the form of torchaudio.functional.griffinlim.
#pragma once

#include <ATen/core/Tensor.h>

#include "checkpoint/cancel.h"
#include "engine/spectrum/stft.h"

namespace sda::engine {

inline constexpr int kGriffinLimIterations = 64;
inline constexpr double kGriffinLimMomentum = 0.99;

// magnitude: [B, bins, frames] float32; phase: [B, bins, frames] complex64, the first guess
// → [B, (frames − 1)·hop] float32.
//
// For tensors on the CPU. Eight frames at a time (one, if the window's size is no power of two) are
// analysed, advanced and resynthesised while they are in the cache. The result does not depend on
// the number of threads: no sum crosses two pieces of work. The iteration is chaotic, so every
// operation rounds where torch rounds.
at::Tensor griffin_lim(const Stft& stft, const at::Tensor& magnitude, const at::Tensor& phase,
                       const CancelToken& cancel);

// The same by ATen's operators, on the device of the tensors.
at::Tensor griffin_lim_aten(const Stft& stft, const at::Tensor& magnitude, const at::Tensor& phase,
                            const CancelToken& cancel);

}  // namespace sda::engine
