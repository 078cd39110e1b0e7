// Stereo out of mono.
#pragma once

#include <cstdint>
#include <vector>

namespace sda::engine {

// A copy 15 ms late on the right, in mid-side form with the side scaled by `width` (0 … 1.5).
// → {left, right}, as long as `mono`.
std::vector<std::vector<float>> widen(const std::vector<float>& mono, double width,
                                      std::int64_t sample_rate);

// Adds one reflection, depth · 40 ms late at depth · 0.15 of the level; none below a depth of 0.01.
void add_reflection(std::vector<float>& channel, double depth, std::int64_t sample_rate);

}  // namespace sda::engine
