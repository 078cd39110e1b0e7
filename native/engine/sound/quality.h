// Figures about finished audio.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/engine.h"

namespace sda::engine {

// Signal-to-noise ratio out of whole 10 ms frames (RMS over all channels above 0.01 is signal, the
// rest noise; powers averaged over each), and clipping at |x| ≥ 0.999 over all channels' samples.
Quality measure_quality(const std::vector<std::vector<float>>& audio, std::int64_t sample_rate);

}  // namespace sda::engine
