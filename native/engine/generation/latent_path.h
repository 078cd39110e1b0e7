// Paths through the latent space.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace sda::engine {

// Spherical linear interpolation (Shoemake 1985, "Animating rotation with quaternion curves"): the
// angle is the one between the directions; the weights apply to the vectors without normalising
// them. Linear where |cos| > 0.9995. Both have shape [1, n]; 0 ≤ t ≤ 1.
at::Tensor slerp(const at::Tensor& from, const at::Tensor& to, double t);

// `steps` points from each anchor to the next, including both, and then the last anchor again.
std::vector<at::Tensor> interpolate_anchors(const std::vector<at::Tensor>& anchors,
                                            std::int64_t steps);

}  // namespace sda::engine
