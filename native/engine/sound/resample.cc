#include "engine/sound/resample.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numbers>
#include <numeric>

namespace sda::engine {
namespace {

constexpr double kRolloff = 0.99;
constexpr float kBeta = 14.769656459379492F;  // of the Kaiser window
constexpr std::size_t kKnownTables = 4;

double zero_crossings(SincWindow window) { return window == SincWindow::kHann ? 6.0 : 64.0; }

// The modified Bessel function of the first kind, of order 0, by its power series.
double bessel_i0(double x) {
  const double quarter = x * x / 4.0;
  double term = 1.0, sum = 1.0;
  for (int k = 1; term > sum * 1e-17; ++k) {
    term *= quarter / (static_cast<double>(k) * k);
    sum += term;
  }
  return sum;
}

// At t zero crossings from the middle.
double window_at(double t, SincWindow window) {
  const double reach = zero_crossings(window);
  if (window == SincWindow::kHann) {
    const double cosine = std::cos(t * std::numbers::pi / reach / 2.0);
    return cosine * cosine;
  }
  // The program's beta and its Bessel function are float32.
  static const double scale = static_cast<float>(bessel_i0(double{kBeta}));
  const double inside = std::max(0.0, 1.0 - (t / reach) * (t / reach));
  return bessel_i0(double{kBeta} * std::sqrt(inside)) / scale;
}

}  // namespace

Resampler::Resampler(std::int64_t from, std::int64_t to, SincWindow window)
    : from_(from / std::gcd(from, to)), to_(to / std::gcd(from, to)) {
  if (from_ != to_) phases_ = phases_of(from_, to_, window);
}

// The last few tables are kept: making one of a Kaiser window takes milliseconds.
std::shared_ptr<const Resampler::Phases> Resampler::phases_of(std::int64_t from, std::int64_t to,
                                                              SincWindow window) {
  struct Table {
    std::int64_t from, to;
    SincWindow window;
    std::shared_ptr<const Phases> phases;
  };
  static std::mutex mutex;
  static std::vector<Table>& known = *new std::vector<Table>;
  const std::lock_guard lock(mutex);
  const auto found = std::find_if(known.begin(), known.end(), [&](const Table& table) {
    return table.from == from && table.to == to && table.window == window;
  });
  if (found != known.end()) return found->phases;
  auto phases = std::make_shared<Phases>();
  phases->reserve(static_cast<std::size_t>(to));
  const double base = static_cast<double>(std::min(from, to)) * kRolloff;
  for (std::int64_t i = 0; i < to; ++i) {
    const double position = static_cast<double>(i * from) / static_cast<double>(to);
    phases->push_back(make_phase(position, static_cast<double>(from), base, window));
  }
  if (known.size() == kKnownTables) known.erase(known.begin());
  known.push_back({from, to, window, phases});
  return phases;
}

// The windowed sinc of one output sample. `position` is the sample's place, in input samples from
// the start of its frame; `base` / `from` is the cutoff as a share of the input rate.
Resampler::Phase Resampler::make_phase(double position, double from, double base,
                                       SincWindow window) {
  const double crossings = zero_crossings(window), reach = crossings * from / base;
  Phase phase{static_cast<std::int64_t>(std::ceil(position - reach)), {}};
  const auto last = static_cast<std::int64_t>(std::floor(position + reach));
  for (std::int64_t i = phase.first; i <= last; ++i) {
    const double t =
        std::clamp((static_cast<double>(i) - position) * base / from, -crossings, crossings);
    const double sinc = t == 0.0 ? 1.0 : std::sin(t * std::numbers::pi) / (t * std::numbers::pi);
    phase.taps.push_back(static_cast<float>(sinc * window_at(t, window) * base / from));
  }
  return phase;
}

void Resampler::push(const float* samples, std::size_t count, std::vector<float>& out) {
  if (!phases_) {
    out.insert(out.end(), samples, samples + count);
    return;
  }
  input_.insert(input_.end(), samples, samples + count);
  const std::int64_t known = dropped_ + static_cast<std::int64_t>(input_.size());
  const auto needs = [&](std::int64_t n) {
    const Phase& phase = (*phases_)[n % to_];
    return n / to_ * from_ + phase.first + static_cast<std::int64_t>(phase.taps.size());
  };
  // An estimate of the last sample whose input is known, then corrected.
  std::int64_t end = std::max(given_, (known - from_) * to_ / from_);
  while (end > given_ && needs(end - 1) > known) --end;
  while (needs(end) <= known) ++end;
  give(end, out);
  const Phase& next = (*phases_)[given_ % to_];
  const std::int64_t unneeded = std::clamp<std::int64_t>(
      given_ / to_ * from_ + next.first - dropped_, 0, static_cast<std::int64_t>(input_.size()));
  input_.erase(input_.begin(), input_.begin() + unneeded);
  dropped_ += unneeded;
}

void Resampler::finish(std::vector<float>& out) {
  if (!phases_) return;
  const std::int64_t known = dropped_ + static_cast<std::int64_t>(input_.size());
  give((known * to_ + from_ - 1) / from_, out);
}

// Appends the output samples up to number `end`. Input samples that are not known count as 0.
void Resampler::give(std::int64_t end, std::vector<float>& out) {
  const auto known = static_cast<std::int64_t>(input_.size());
  for (; given_ < end; ++given_) {
    const Phase& phase = (*phases_)[given_ % to_];
    const std::int64_t start = given_ / to_ * from_ + phase.first - dropped_;
    const std::int64_t first = std::max<std::int64_t>(0, -start);
    const std::int64_t last = std::min(static_cast<std::int64_t>(phase.taps.size()), known - start);
    double sum = 0.0;
    for (std::int64_t k = first; k < last; ++k) sum += double{phase.taps[k]} * input_[start + k];
    out.push_back(static_cast<float>(sum));
  }
}

}  // namespace sda::engine
