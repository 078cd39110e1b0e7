#include "engine/generation/latent_path.h"

#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>

namespace sda::engine {
namespace {

constexpr double kNearlyParallel = 0.9995;

}  // namespace

at::Tensor slerp(const at::Tensor& from, const at::Tensor& to, double t) {
  const double norms = from.norm().item<double>() * to.norm().item<double>();
  const double cosine =
      norms > 0.0 ? std::clamp((from * to).sum().item<double>() / norms, -1.0, 1.0) : 1.0;
  if (std::abs(cosine) > kNearlyParallel) return from * (1.0 - t) + to * t;
  const double angle = std::acos(cosine);
  const double sine = std::sin(angle);
  return from * (std::sin((1.0 - t) * angle) / sine) + to * (std::sin(t * angle) / sine);
}

std::vector<at::Tensor> interpolate_anchors(const std::vector<at::Tensor>& anchors,
                                            std::int64_t steps) {
  std::vector<at::Tensor> path;
  for (std::size_t i = 0; i + 1 < anchors.size(); ++i) {
    for (std::int64_t step = 0; step < steps; ++step) {
      const double t =
          steps == 1 ? 0.0 : static_cast<double>(step) / static_cast<double>(steps - 1);
      path.push_back(slerp(anchors[i], anchors[i + 1], t));
    }
  }
  path.push_back(anchors.back());
  return path;
}

}  // namespace sda::engine
