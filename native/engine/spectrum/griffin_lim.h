// Phase reconstruction: the fast Griffin-Lim algorithm (Perraudin, Balazs, Søndergaard 2013, "A
// fast Griffin-Lim algorithm"), in the form torchaudio.functional.griffinlim gives it.
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
// On the CPU: eight frames at a time (one, for windows that are no power of two), analysed,
// advanced and resynthesised while they are in the cache. The result doesn't depend on the number
// of threads: no sum crosses a piece of work. The iteration is chaotic, so every operation is
// rounded where torch's rounds it.
at::Tensor griffin_lim(const Stft& stft, const at::Tensor& magnitude, const at::Tensor& phase,
                       const CancelToken& cancel);

// The same out of whole-tensor operations, on whichever device the tensors are.
at::Tensor griffin_lim_aten(const Stft& stft, const at::Tensor& magnitude, const at::Tensor& phase,
                            const CancelToken& cancel);

}  // namespace sda::engine
