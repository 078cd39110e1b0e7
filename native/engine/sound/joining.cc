#include "engine/sound/joining.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace sda::engine {

Joiner::Joiner(std::int64_t overlap, Joint joint) : overlap_(overlap), joint_(joint) {}

Joiner::Fade Joiner::make_fade(std::int64_t overlap, Joint joint) {
  Fade fade;
  for (std::int64_t i = 0; i < overlap; ++i) {
    if (joint == Joint::kPython) {
      // The two halves of numpy.hanning(2·overlap), which is symmetric. The Python program fades
      // the old chunk in and the new chunk out; this mode gives the same sound.
      const double last = static_cast<double>(2 * overlap - 1);
      const auto hanning = [&](std::int64_t n) {
        return 0.5 - 0.5 * std::cos(2.0 * std::numbers::pi * static_cast<double>(n) / last);
      };
      fade.tail.push_back(static_cast<float>(hanning(i)));
      fade.head.push_back(static_cast<float>(hanning(overlap + i)));
    } else {
      // The squares add up to 1, so uncorrelated chunks keep their loudness through the joint.
      const double angle =
          std::numbers::pi / 2.0 * (static_cast<double>(i) + 0.5) / static_cast<double>(overlap);
      fade.tail.push_back(static_cast<float>(std::cos(angle)));
      fade.head.push_back(static_cast<float>(std::sin(angle)));
    }
  }
  return fade;
}

void Joiner::append(const float* chunk, std::int64_t count, std::vector<float>& out) {
  const std::int64_t shared = std::min(static_cast<std::int64_t>(held_.size()), count);
  // The length is nearly always the same. A single chunk needs no fade at all.
  if (static_cast<std::int64_t>(fade_.tail.size()) != shared) fade_ = make_fade(shared, joint_);
  float* const tail = held_.data() + held_.size() - shared;
  for (std::int64_t i = 0; i < shared; ++i) {
    tail[i] = tail[i] * fade_.tail[i] + chunk[i] * fade_.head[i];
  }
  held_.insert(held_.end(), chunk + shared, chunk + count);
  const auto settled = held_.size() - std::min<std::size_t>(held_.size(), overlap_);
  const auto end = held_.begin() + static_cast<std::ptrdiff_t>(settled);
  out.insert(out.end(), held_.begin(), end);
  held_.erase(held_.begin(), end);
}

void Joiner::finish(std::vector<float>& out) {
  out.insert(out.end(), held_.begin(), held_.end());
  held_.clear();
}

}  // namespace sda::engine
