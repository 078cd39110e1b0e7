// Phase reconstruction: the fast Griffin-Lim algorithm (Perraudin, Balazs, Søndergaard 2013, "A
// fast Griffin-Lim algorithm"), in the form of torchaudio.functional.griffinlim.
#pragma once

#include <functional>

#include "checkpoint/cancel.h"
#include "engine/engine.h"
#include "engine/spectrum/stft.h"

namespace sda::engine {

inline constexpr double kGriffinLimMomentum = 0.99;

// magnitude: [B, bins, frames]; phase: [B, bins, frames, 2], the first guess as complex numbers
// → [B, (frames − 1)·hop].
//
// Eight frames at a time (one, if the window's size is no power of two) are analysed, advanced and
// resynthesised while they are in the cache. The result does not depend on the number of threads:
// no sum crosses two pieces of work. The iteration is chaotic, so every operation rounds where
// torch rounds.
//
// `iterated` is called after each iteration; it may be empty.
FloatTensor griffin_lim(const Stft& stft, const FloatTensor& magnitude, const FloatTensor& phase,
                        int iterations, const CancelToken& cancel,
                        const std::function<void()>& iterated = {});

}  // namespace sda::engine
