#include "engine/generation/latent_path.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace sda::engine {
namespace {

constexpr double kNearlyParallel = 0.9995;

double dot(const Latent& a, const Latent& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0, std::plus<>(),
                            [](float x, float y) { return double{x} * y; });
}

// Each step rounds to float32, as torch's elementwise operations do.
Latent weighted(const Latent& from, double from_weight, const Latent& to, double to_weight) {
  const auto first = static_cast<float>(from_weight), second = static_cast<float>(to_weight);
  Latent result(from.size());
  std::transform(from.begin(), from.end(), to.begin(), result.begin(),
                 [&](float a, float b) { return a * first + b * second; });
  return result;
}

}  // namespace

Latent slerp(const Latent& from, const Latent& to, double t) {
  const double norms = std::sqrt(dot(from, from)) * std::sqrt(dot(to, to));
  const double cosine = norms > 0.0 ? std::clamp(dot(from, to) / norms, -1.0, 1.0) : 1.0;
  if (std::abs(cosine) > kNearlyParallel) return weighted(from, 1.0 - t, to, t);
  const double angle = std::acos(cosine);
  const double sine = std::sin(angle);
  return weighted(from, std::sin((1.0 - t) * angle) / sine, to, std::sin(t * angle) / sine);
}

std::vector<Latent> interpolate_anchors(const std::vector<Latent>& anchors, std::int64_t steps) {
  std::vector<Latent> path;
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
