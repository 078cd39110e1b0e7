// Measures finished audio.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/engine.h"

namespace sda::engine {

// The signal-to-noise ratio compares 10 ms frames of all channels: a frame with an RMS above 0.01
// is signal, any other is noise; the ratio is that of their mean powers. A sample with |x| ≥ 0.999
// counts as clipped.
Quality measure_quality(const std::vector<std::vector<float>>& audio, std::int64_t sample_rate);

}  // namespace sda::engine
