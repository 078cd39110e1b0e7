// Band-limited resampling by a ratio of integers.
#pragma once

#include <cstdint>
#include <vector>

#include "checkpoint/cancel.h"

namespace sda::engine {

// Windowed-sinc interpolation (Smith, "Digital Audio Resampling Home Page") with
// torchaudio.functional.resample's defaults: Hann window, six zero crossings on either side, cutoff
// at 0.99 of the lower Nyquist frequency. Gives ⌈samples · to / from⌉ samples; rates in Hz.
std::vector<float> resample(const std::vector<float>& signal, std::int64_t from, std::int64_t to,
                            const CancelToken& cancel);

}  // namespace sda::engine
