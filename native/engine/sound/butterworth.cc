#include "engine/sound/butterworth.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

namespace sda::engine {
namespace {

// A block has at least this many samples, and at least look_ahead_ samples.
constexpr std::int64_t kSmallestBlock = 8192;

// The part of the backward pass's start state that is left where its block begins.
constexpr double kForgotten = 1e-20;

// The longest look-ahead, for a filter with a pole next to the unit circle.
constexpr double kLongestLookAhead = 1e9;

std::int64_t look_ahead_of(const std::vector<Biquad>& sections) {
  double radius = 0.0;  // of the outermost pole; poles come in conjugate pairs
  for (const Biquad& q : sections) radius = std::max(radius, std::sqrt(q.a2));
  const double samples = std::log(kForgotten) / std::log(radius);
  return static_cast<std::int64_t>(std::min(samples, kLongestLookAhead));
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

ZeroPhaseFilter::ZeroPhaseFilter(std::vector<Biquad> sections)
    : sections_(std::move(sections)),
      edge_(3 * static_cast<std::int64_t>(2 * sections_.size() + 1)),
      look_ahead_(look_ahead_of(sections_)),
      block_(std::max(kSmallestBlock, look_ahead_)) {}

// Filters one sample through all sections.
inline double ZeroPhaseFilter::step(std::vector<State>& states, double x) const {
  for (std::size_t s = 0; s < sections_.size(); ++s) {
    const Biquad& q = sections_[s];
    State& z = states[s];
    const double y = q.b0 * x + z.z0;
    z.z0 = q.b1 * x - q.a1 * y + z.z1;
    z.z1 = q.b2 * x - q.a2 * y;
    x = y;
  }
  return x;
}

// The state after an endless constant input. Each section passes it on unchanged: its gain is 1.
std::vector<ZeroPhaseFilter::State> ZeroPhaseFilter::settled(double level) const {
  std::vector<State> states;
  for (const Biquad& q : sections_) states.push_back({(1.0 - q.b0) * level, (q.b2 - q.a2) * level});
  return states;
}

// Filters the extension, which is the signal point-reflected about its first sample.
void ZeroPhaseFilter::begin(std::int64_t edge) {
  edge_ = edge;
  begun_ = true;
  const double first = start_.front();
  const auto reflected = [&](std::int64_t i) { return 2.0 * first - start_[i]; };
  states_ = settled(edge > 0 ? reflected(edge) : first);
  for (std::int64_t i = edge; i > 0; --i) step(states_, reflected(i));
  for (const float sample : start_) filter(sample);
  start_.clear();
}

void ZeroPhaseFilter::filter(float sample) { forward_.push_back(step(states_, sample)); }

void ZeroPhaseFilter::push(const float* samples, std::size_t count, std::vector<float>& out) {
  const auto kept = static_cast<std::size_t>(edge_ + 1);
  latest_.insert(latest_.end(), samples + (count > kept ? count - kept : 0), samples + count);
  if (latest_.size() > kept)
    latest_.erase(latest_.begin(), latest_.end() - static_cast<std::ptrdiff_t>(kept));
  if (!begun_) {
    start_.insert(start_.end(), samples, samples + count);
    if (start_.size() < kept) return;
    begin(edge_);
  } else {
    for (std::size_t i = 0; i < count; ++i) filter(samples[i]);
  }
  while (static_cast<std::int64_t>(forward_.size()) >= block_ + look_ahead_)
    go_back(block_, block_ + look_ahead_, out);
}

void ZeroPhaseFilter::finish(std::vector<float>& out) {
  if (!begun_) {
    if (start_.empty()) return;
    begin(static_cast<std::int64_t>(start_.size()) - 1);
  }
  auto count = static_cast<std::int64_t>(forward_.size());
  const double last = latest_.back();
  for (std::int64_t i = 1; i <= edge_; ++i)
    forward_.push_back(step(states_, 2.0 * last - latest_[latest_.size() - 1 - i]));
  while (count > 0) {
    const std::int64_t end = std::min(count, block_);
    go_back(end, std::min(end + look_ahead_, static_cast<std::int64_t>(forward_.size())), out);
    count -= end;
  }
}

// The backward pass from `from`: appends the samples before `end` to `out`.
void ZeroPhaseFilter::go_back(std::int64_t end, std::int64_t from, std::vector<float>& out) {
  std::vector<State> states = settled(forward_[from - 1]);
  for (std::int64_t i = from; i-- > end;) step(states, forward_[i]);
  const std::size_t at = out.size();
  out.resize(at + static_cast<std::size_t>(end));
  for (std::int64_t i = end; i-- > 0;)
    out[at + static_cast<std::size_t>(i)] = static_cast<float>(step(states, forward_[i]));
  forward_.erase(forward_.begin(), forward_.begin() + end);
}

}  // namespace sda::engine
