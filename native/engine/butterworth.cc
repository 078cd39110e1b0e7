#include "engine/butterworth.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace sda::engine {
namespace {

// Samples between two looks at the cancel token.
constexpr std::int64_t kStretch = 1 << 16;

struct State {
  double z0, z1;
};

// All sections over one sample.
inline double step(const std::vector<Biquad>& sections, std::vector<State>& states, double x) {
  for (std::size_t s = 0; s < sections.size(); ++s) {
    const Biquad& q = sections[s];
    State& z = states[s];
    const double y = q.b0 * x + z.z0;
    z.z0 = q.b1 * x - q.a1 * y + z.z1;
    z.z1 = q.b2 * x - q.a2 * y;
    x = y;
  }
  return x;
}

// What the sections hold after an endless constant input; a gain of 1 passes it on unchanged.
std::vector<State> settled(const std::vector<Biquad>& sections, double level) {
  std::vector<State> states;
  for (const Biquad& q : sections) states.push_back({(1.0 - q.b0) * level, (q.b2 - q.a2) * level});
  return states;
}

}  // namespace

std::vector<Biquad> butterworth_low_pass(int order, double cutoff, double sample_rate) {
  const double k = std::tan(std::numbers::pi * cutoff / sample_rate);
  std::vector<Biquad> sections;
  for (int i = 0; i < order / 2; ++i) {
    // A conjugate pair of poles on the unit circle: s² + 2 sin θ · s + 1.
    const double damping = 2.0 * std::sin(std::numbers::pi * (2 * i + 1) / (2.0 * order));
    const double scale = 1.0 / (1.0 + damping * k + k * k);
    const double b = k * k * scale;
    sections.push_back(
        {b, 2.0 * b, b, 2.0 * (k * k - 1.0) * scale, (1.0 - damping * k + k * k) * scale});
  }
  return sections;
}

void filter_zero_phase(const std::vector<Biquad>& sections, std::vector<float>& signal,
                       const CancelToken& cancel) {
  const auto count = static_cast<std::int64_t>(signal.size());
  const auto taps = static_cast<std::int64_t>(2 * sections.size() + 1);
  const std::int64_t edge = std::min(3 * taps, count - 1);
  const double first = signal.front();
  const double last = signal.back();

  // The extended signal, sample by sample: point-reflected about both ends.
  const auto extended = [&](std::int64_t i) -> double {
    if (i < edge) return 2.0 * first - signal[edge - i];
    if (i < edge + count) return signal[i - edge];
    return 2.0 * last - signal[count - 2 - (i - edge - count)];
  };

  const std::int64_t total = count + 2 * edge;
  std::vector<double> forward(total);
  std::vector<State> states = settled(sections, extended(0));
  for (std::int64_t i = 0; i < total; ++i) {
    if (i % kStretch == 0) cancel.throw_if_cancelled();
    forward[i] = step(sections, states, extended(i));
  }
  states = settled(sections, forward.back());
  for (std::int64_t i = total - 1; i >= edge; --i) {
    if (i % kStretch == 0) cancel.throw_if_cancelled();
    const double y = step(sections, states, forward[i]);
    if (i < edge + count) signal[i - edge] = static_cast<float>(y);
  }
}

}  // namespace sda::engine
