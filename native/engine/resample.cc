#include "engine/resample.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace sda::engine {
namespace {

constexpr double kZeroCrossings = 6.0;
constexpr double kRolloff = 0.99;

// Output samples between two looks at the cancel token.
constexpr std::int64_t kStretch = 1 << 16;

// The taps of one output phase, the first of them `first` input samples from the phase's own frame.
struct Phase {
  std::int64_t first;
  std::vector<float> taps;
};

// Hann-windowed sinc, cut off at `base` of `from` samples, for the output sample that lies at
// `position` (in input samples from the start of its frame).
Phase make_phase(double position, double from, double base) {
  const double reach = kZeroCrossings * from / base;
  Phase phase{static_cast<std::int64_t>(std::ceil(position - reach)), {}};
  const auto last = static_cast<std::int64_t>(std::floor(position + reach));
  for (std::int64_t i = phase.first; i <= last; ++i) {
    const double t = std::clamp((static_cast<double>(i) - position) * base / from, -kZeroCrossings,
                                kZeroCrossings);
    const double cosine = std::cos(t * std::numbers::pi / kZeroCrossings / 2.0);
    const double sinc = t == 0.0 ? 1.0 : std::sin(t * std::numbers::pi) / (t * std::numbers::pi);
    phase.taps.push_back(static_cast<float>(sinc * cosine * cosine * base / from));
  }
  return phase;
}

}  // namespace

std::vector<float> resample(const std::vector<float>& signal, std::int64_t from, std::int64_t to,
                            const CancelToken& cancel) {
  if (from == to) return signal;
  const std::int64_t divisor = std::gcd(from, to);
  from /= divisor;
  to /= divisor;

  std::vector<Phase> phases;
  phases.reserve(to);
  const double base = static_cast<double>(std::min(from, to)) * kRolloff;
  for (std::int64_t i = 0; i < to; ++i) {
    if (i % kStretch == 0) cancel.throw_if_cancelled();
    const double position = static_cast<double>(i * from) / static_cast<double>(to);
    phases.push_back(make_phase(position, static_cast<double>(from), base));
  }

  const auto count = static_cast<std::int64_t>(signal.size());
  std::vector<float> result((count * to + from - 1) / from);
  for (std::int64_t n = 0; n < static_cast<std::int64_t>(result.size()); ++n) {
    if (n % kStretch == 0) cancel.throw_if_cancelled();
    const Phase& phase = phases[n % to];
    const std::int64_t start = n / to * from + phase.first;
    const std::int64_t begin = std::max<std::int64_t>(0, -start);
    const std::int64_t end = std::min(static_cast<std::int64_t>(phase.taps.size()), count - start);
    double sum = 0.0;
    for (std::int64_t k = begin; k < end; ++k) {
      sum += double{phase.taps[k]} * signal[start + k];
    }
    result[n] = static_cast<float>(sum);
  }
  return result;
}

}  // namespace sda::engine
