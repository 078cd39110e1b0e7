// Ways through the latent space.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace sda::engine {

// Spherical linear interpolation (Shoemake 1985, "Animating rotation with quaternion curves"): the
// angle is that of the directions, the weights apply to the vectors as they are. Linear where
// |cos| > 0.9995. Both of shape [1, n], 0 ≤ t ≤ 1.
at::Tensor slerp(const at::Tensor& from, const at::Tensor& to, double t);

// `steps` points from each anchor to the next, both ends included, then the last anchor once more.
std::vector<at::Tensor> interpolate_anchors(const std::vector<at::Tensor>& anchors,
                                            std::int64_t steps);

}  // namespace sda::engine
