// Paths through the latent space.
#pragma once

#include <cstdint>
#include <vector>

namespace sda::engine {

// A point in the latent space.
using Latent = std::vector<float>;

// Spherical linear interpolation (Shoemake 1985, "Animating rotation with quaternion curves"): the
// angle is the one between the directions; the weights apply to the vectors without normalising
// them. Linear where |cos| > 0.9995. 0 ≤ t ≤ 1.
Latent slerp(const Latent& from, const Latent& to, double t);

// `steps` points from each anchor to the next, including both, and then the last anchor again.
std::vector<Latent> interpolate_anchors(const std::vector<Latent>& anchors, std::int64_t steps);

}  // namespace sda::engine
