#include "engine/spectrum/lane_fft.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "engine/multiversion.h"

namespace sda::engine {
namespace {

constexpr std::int64_t kRow = 2 * kLanes;  // floats per row: real parts, then imaginary parts
// Transforms of up to this many rows fit into the first-level cache (16 KiB): each is finished
// before the next begins.
constexpr std::int64_t kInCache = 256;
constexpr std::int64_t kSmallest = 64;
constexpr std::size_t kAhead = 12;  // pairs between a prefetch and its use
constexpr std::int64_t kLargest = std::int64_t{1} << 20;

using V = float __attribute__((vector_size(kLanes * sizeof(float))));
SDA_INLINE V load(const float* from) {
  V v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
SDA_INLINE void store(float* to, V v) { std::memcpy(to, &v, sizeof v); }

struct C {
  V re, im;
};
SDA_INLINE C load_row(const float* row) { return {load(row), load(row + kLanes)}; }
SDA_INLINE void store_row(float* row, C c) {
  store(row, c.re);
  store(row + kLanes, c.im);
}
SDA_INLINE C operator+(C a, C b) { return {a.re + b.re, a.im + b.im}; }
SDA_INLINE C operator-(C a, C b) { return {a.re - b.re, a.im - b.im}; }
SDA_INLINE C times(C a, float re, float im) {
  return {a.re * re - a.im * im, a.re * im + a.im * re};
}
SDA_INLINE C times_conjugate(C a, float re, float im) {
  return {a.re * re + a.im * im, a.im * re - a.re * im};
}
SDA_INLINE C times_i(C a) { return {-a.im, a.re}; }

SDA_INLINE void split(float* rows, std::int64_t n, const float* w) {
  const std::int64_t quarter = n / 4 * kRow;
  for (std::int64_t j = 0; j < n / 4; ++j, rows += kRow, w += 6) {
    const C a0 = load_row(rows), a1 = load_row(rows + quarter), a2 = load_row(rows + 2 * quarter),
            a3 = load_row(rows + 3 * quarter);
    const C s02 = a0 + a2, d02 = a0 - a2, s13 = a1 + a3, d13 = times_i(a1 - a3);
    store_row(rows, s02 + s13);
    store_row(rows + quarter, times(d02 - d13, w[0], w[1]));
    store_row(rows + 2 * quarter, times(s02 - s13, w[2], w[3]));
    store_row(rows + 3 * quarter, times(d02 + d13, w[4], w[5]));
  }
}

SDA_INLINE void join(float* rows, std::int64_t n, const float* w) {
  const std::int64_t quarter = n / 4 * kRow;
  for (std::int64_t j = 0; j < n / 4; ++j, rows += kRow, w += 6) {
    const C b0 = load_row(rows), b1 = times_conjugate(load_row(rows + quarter), w[0], w[1]),
            b2 = times_conjugate(load_row(rows + 2 * quarter), w[2], w[3]),
            b3 = times_conjugate(load_row(rows + 3 * quarter), w[4], w[5]);
    const C s02 = b0 + b2, d02 = b0 - b2, s13 = b1 + b3, d13 = times_i(b1 - b3);
    store_row(rows, s02 + s13);
    store_row(rows + quarter, d02 + d13);
    store_row(rows + 2 * quarter, s02 - s13);
    store_row(rows + 3 * quarter, d02 - d13);
  }
}

SDA_INLINE void pair(float* rows) {
  const C a = load_row(rows), b = load_row(rows + kRow);
  store_row(rows, a + b);
  store_row(rows + kRow, a - b);
}

// A whole transform of `n` rows that fit into the cache. twiddles[0] belongs to its first step.
SDA_INLINE void split_all(float* rows, std::int64_t n, const float* const* twiddles) {
  std::int64_t length = n;
  for (; length >= 4; length /= 4, ++twiddles)
    for (std::int64_t at = 0; at < n; at += length) split(rows + at * kRow, length, *twiddles);
  if (length == 2)
    for (std::int64_t at = 0; at < n; at += 2) pair(rows + at * kRow);
}

SDA_INLINE void join_all(float* rows, std::int64_t n, std::int64_t steps,
                         const float* const* twiddles) {
  std::int64_t length = n >> (2 * steps);
  if (length == 2)
    for (std::int64_t at = 0; at < n; at += 2) pair(rows + at * kRow);
  for (std::int64_t step = steps; step-- > 0;) {
    length *= 4;
    for (std::int64_t at = 0; at < n; at += length) join(rows + at * kRow, length, twiddles[step]);
  }
}

struct Plan {
  const float* twiddles[16];
  std::int64_t steps = 0;
};

Plan plan_of(const std::vector<std::vector<float>>& twiddles, std::size_t first = 0) {
  Plan plan;
  for (; first < twiddles.size(); ++first) plan.twiddles[plan.steps++] = twiddles[first].data();
  return plan;
}

static SDA_INLINE void forward_rows_body(float* rows, std::int64_t n, const Plan& plan) {
  std::int64_t length = n, step = 0;
  for (; length > kInCache; length /= 4, ++step)
    for (std::int64_t at = 0; at < n; at += length)
      split(rows + at * kRow, length, plan.twiddles[step]);
  for (std::int64_t at = 0; at < n; at += length)
    split_all(rows + at * kRow, length, plan.twiddles + step);
}

void forward_rows(float* rows, std::int64_t n, const Plan& plan) {
  Versions<forward_rows_body>::run(rows, n, plan);
}

static SDA_INLINE void inverse_rows_body(float* rows, std::int64_t n, const Plan& plan) {
  std::int64_t length = n, step = 0;
  for (; length > kInCache; length /= 4) ++step;
  for (std::int64_t at = 0; at < n; at += length)
    join_all(rows + at * kRow, length, plan.steps - step, plan.twiddles + step);
  while (step-- > 0) {
    length *= 4;
    for (std::int64_t at = 0; at < n; at += length)
      join(rows + at * kRow, length, plan.twiddles[step]);
  }
}

void inverse_rows(float* rows, std::int64_t n, const Plan& plan) {
  Versions<inverse_rows_body>::run(rows, n, plan);
}

void place_all(std::int64_t n, std::int64_t first, std::int64_t frequency, std::int64_t stride,
               std::vector<std::int32_t>& places) {
  if (n == 1) {
    places[static_cast<std::size_t>(frequency)] = static_cast<std::int32_t>(first);
    return;
  }
  const std::int64_t parts = n == 2 ? 2 : 4;
  for (std::int64_t r = 0; r < parts; ++r)
    place_all(n / parts, first + r * (n / parts), frequency + r * stride, stride * parts, places);
}

// Transposes eight vectors of eight: element j of vector i becomes element i of vector j.
SDA_INLINE void transpose(V (&v)[kLanes]) {
  V a[kLanes], b[kLanes];
  for (int i = 0; i < 4; ++i) {
    a[2 * i] = __builtin_shufflevector(v[2 * i], v[2 * i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    a[2 * i + 1] = __builtin_shufflevector(v[2 * i], v[2 * i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
  for (int i = 0; i < 2; ++i) {
    b[4 * i] = __builtin_shufflevector(a[4 * i], a[4 * i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
    b[4 * i + 1] = __builtin_shufflevector(a[4 * i], a[4 * i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    b[4 * i + 2] = __builtin_shufflevector(a[4 * i + 1], a[4 * i + 3], 0, 1, 8, 9, 4, 5, 12, 13);
    b[4 * i + 3] = __builtin_shufflevector(a[4 * i + 1], a[4 * i + 3], 2, 3, 10, 11, 6, 7, 14, 15);
  }
  for (int i = 0; i < 4; ++i) {
    v[i] = __builtin_shufflevector(b[i], b[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    v[i + 4] = __builtin_shufflevector(b[i], b[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}

}  // namespace

bool LaneFft::fits(std::int64_t size) noexcept {
  return size >= kSmallest && size <= kLargest && (size & (size - 1)) == 0;
}

LaneFft::LaneFft(std::int64_t size) : half_(size / 2), places_(static_cast<std::size_t>(size / 2)) {
  constexpr double kTurn = 2.0 * std::numbers::pi;
  for (std::int64_t n = half_; n >= 4; n /= 4) {
    std::vector<float>& table = twiddles_.emplace_back();
    for (std::int64_t j = 0; j < n / 4; ++j) {
      for (int power = 1; power <= 3; ++power) {
        const double angle = -kTurn * static_cast<double>(j * power) / static_cast<double>(n);
        table.push_back(static_cast<float>(std::cos(angle)));
        table.push_back(static_cast<float>(std::sin(angle)));
      }
    }
  }
  place_all(half_, 0, 0, 1, places_);
  turns_ = {1.0F, 0.0F};
  for (std::int64_t k = 1; k <= half_ / 2; ++k) {
    const double angle = -kTurn * static_cast<double>(k) / static_cast<double>(size);
    const Pair pair = {place(k), place(half_ - k), static_cast<float>(std::cos(angle)),
                       static_cast<float>(std::sin(angle))};
    turns_.push_back(pair.cosine);
    turns_.push_back(pair.sine);
    if (k == half_ / 2)
      middle_ = pair;
    else
      pairs_[k % 4 == 0 ? kZero : k % 4 == 2 ? kTwo : kOneAndThree].push_back(pair);
  }
  for (std::vector<Pair>& group : pairs_)
    std::sort(group.begin(), group.end(),
              [](const Pair& a, const Pair& b) { return a.low < b.low; });
}

void LaneFft::forward(float* rows) const { forward_rows(rows, half_, plan_of(twiddles_)); }

void LaneFft::inverse(float* rows) const { inverse_rows(rows, half_, plan_of(twiddles_)); }

void LaneFft::forward_quarter(float* rows, int quarter) const {
  forward_rows(rows + quarter * (half_ / 4) * kRow, half_ / 4, plan_of(twiddles_, 1));
}

void LaneFft::inverse_quarter(float* rows, int quarter) const {
  inverse_rows(rows + quarter * (half_ / 4) * kRow, half_ / 4, plan_of(twiddles_, 1));
}

namespace lanes {

static SDA_INLINE void gather_split_body(const LaneFft& fft, const float* const* frames,
                                         const float* window, float* rows) {
  const std::int64_t quarter = fft.half() / 4;
  const float* w = fft.outer_twiddles();
  // Four rows of each quarter at a time: eight samples of each frame make four rows.
  for (std::int64_t j = 0; j < quarter; j += 4) {
    V v[4][kLanes];
    for (int q = 0; q < 4; ++q) {
      const std::int64_t n = 2 * (j + q * quarter);
      const V weight = load(window + n);
      for (int lane = 0; lane < kLanes; ++lane) v[q][lane] = load(frames[lane] + n) * weight;
      transpose(v[q]);
    }
    for (int i = 0; i < 4; ++i, w += 6) {
      float* const row = rows + (j + i) * kRow;
      const auto at = [&](int q) SDA_LAMBDA_INLINE { return C{v[q][2 * i], v[q][2 * i + 1]}; };
      const C a0 = at(0), a1 = at(1), a2 = at(2), a3 = at(3);
      const C s02 = a0 + a2, d02 = a0 - a2, s13 = a1 + a3, d13 = times_i(a1 - a3);
      store_row(row, s02 + s13);
      store_row(row + quarter * kRow, times(d02 - d13, w[0], w[1]));
      store_row(row + 2 * quarter * kRow, times(s02 - s13, w[2], w[3]));
      store_row(row + 3 * quarter * kRow, times(d02 + d13, w[4], w[5]));
    }
  }
}

void gather_split(const LaneFft& fft, const float* const* frames, const float* window,
                  float* rows) {
  Versions<gather_split_body>::run(fft, frames, window, rows);
}

namespace {

SDA_INLINE void place_samples(V samples, std::int64_t at, float* head, const OverlapAdd& to) {
  if (at >= to.head) {
    float* const sum = to.body + (at - to.head);
    store(sum, load(sum) + samples);
  } else if (at + kLanes <= to.head) {
    store(head + at, samples);
  } else {
    for (int i = 0; i < kLanes; ++i) {
      if (at + i < to.head)
        head[at + i] = samples[i];
      else
        to.body[at + i - to.head] += samples[i];
    }
  }
}

// Does the last step on four rows of each quarter. v[q][lane] becomes eight windowed samples of a
// frame's quarter q.
SDA_INLINE void join_rows(const LaneFft& fft, const float* rows, const float* window,
                          std::int64_t j, V (&v)[4][kLanes]) {
  const std::int64_t quarter = fft.half() / 4;
  const float* w = fft.outer_twiddles() + j * 6;
  for (int i = 0; i < 4; ++i, w += 6) {
    const float* const row = rows + (j + i) * kRow;
    const C b0 = load_row(row), b1 = times_conjugate(load_row(row + quarter * kRow), w[0], w[1]),
            b2 = times_conjugate(load_row(row + 2 * quarter * kRow), w[2], w[3]),
            b3 = times_conjugate(load_row(row + 3 * quarter * kRow), w[4], w[5]);
    const C s02 = b0 + b2, d02 = b0 - b2, s13 = b1 + b3, d13 = times_i(b1 - b3);
    const auto put = [&](int q, C c) SDA_LAMBDA_INLINE {
      v[q][2 * i] = c.re;
      v[q][2 * i + 1] = c.im;
    };
    put(0, s02 + s13);
    put(1, d02 + d13);
    put(2, s02 - s13);
    put(3, d02 - d13);
  }
  for (int q = 0; q < 4; ++q) {
    const V weight = load(window + 2 * (j + q * quarter));
    transpose(v[q]);
    for (V& samples : v[q]) samples *= weight;
  }
}

// For a hop of a quarter frame: samples that are added to each other are computed together.
static SDA_INLINE void join_quarters_body(const LaneFft& fft, const float* rows,
                                          const float* window, const OverlapAdd& to) {
  for (std::int64_t j = 0; j < fft.half() / 4; j += 4) {
    V v[4][kLanes];
    join_rows(fft, rows, window, j, v);
    for (int lane = 0; lane < 3; ++lane)
      for (int q = 0; lane + q < 3; ++q)
        store(to.heads + lane * to.head_stride + (lane + q) * to.hop + 2 * j, v[q][lane]);
    // Adds from the earliest frame to the latest.
    for (int at = 3; at < kLanes + 3; ++at) {
      V sum = v[3][at - 3];
      for (int lane = at - 2; lane <= at && lane < kLanes; ++lane) sum += v[at - lane][lane];
      store(to.body + (at - 3) * to.hop + 2 * j, sum);
    }
  }
}

void join_quarters(const LaneFft& fft, const float* rows, const float* window,
                   const OverlapAdd& to) {
  Versions<join_quarters_body>::run(fft, rows, window, to);
}

// For any hop. Goes from the last samples to the first: frames whose distance is a multiple of a
// quarter frame are then added from the earliest to the latest.
static SDA_INLINE void join_any_body(const LaneFft& fft, const float* rows, const float* window,
                                     const OverlapAdd& to) {
  const std::int64_t quarter = fft.half() / 4;
  std::memset(to.body, 0, static_cast<std::size_t>(kLanes * to.hop) * sizeof(float));
  for (std::int64_t j = quarter - 4; j >= 0; j -= 4) {
    V v[4][kLanes];
    join_rows(fft, rows, window, j, v);
    for (int q = 3; q >= 0; --q) {
      const std::int64_t n = 2 * (j + q * quarter);
      for (int lane = 0; lane < kLanes; ++lane)
        place_samples(v[q][lane], lane * to.hop + n, to.heads + lane * to.head_stride, to);
    }
  }
}

void join_any(const LaneFft& fft, const float* rows, const float* window, const OverlapAdd& to) {
  Versions<join_any_body>::run(fft, rows, window, to);
}

}  // namespace

void join_add(const LaneFft& fft, const float* rows, const float* window, const OverlapAdd& to) {
  if (4 * to.hop == fft.size())
    join_quarters(fft, rows, window, to);
  else
    join_any(fft, rows, window, to);
}

namespace {
// Takes the complex transform's values a at k and b at half − k. Gives the real samples' spectrum
// there, low and high.
SDA_INLINE void to_spectrum(C a, C b, float cosine, float sine, C& low, C& high) {
  const C even = {a.re + b.re, a.im - b.im};
  const C odd = times(C{a.im + b.im, b.re - a.re}, cosine, sine);
  low = even + odd;
  high = {even.re - odd.re, odd.im - even.im};
}

SDA_INLINE void from_spectrum(C low, C high, float cosine, float sine, C& a, C& b) {
  const C even = {low.re + high.re, low.im - high.im};
  const C odd = times_conjugate(C{low.re - high.re, low.im + high.im}, cosine, sine);
  a = {even.re - odd.im, even.im + odd.re};
  b = {even.re + odd.im, odd.re - even.im};
}

SDA_INLINE V square_root(V v) {
  V root;
  for (int lane = 0; lane < kLanes; ++lane) root[lane] = std::sqrt(v[lane]);
  return root;
}

SDA_INLINE C advanced(C rebuilt, float* previous, V magnitude, float momentum) {
  const C before = load_row(previous);
  store_row(previous, rebuilt);
  const C a = {rebuilt.re - momentum * before.re, rebuilt.im - momentum * before.im};
  // Rounds in torch's order: first the phase, multiplied by the reciprocal of its length.
  const V reciprocal = 1.0F / (square_root(a.re * a.re + a.im * a.im) + 1e-16F);
  return {a.re * reciprocal * magnitude, a.im * reciprocal * magnitude};
}

}  // namespace

namespace {

static SDA_INLINE void separate_body(const LaneFft& fft, const float* rows, float* spectra) {
  const std::int64_t half = fft.half();
  const C first = load_row(rows);
  const V none = {};
  store_row(spectra, C{(first.re + first.im) * 2.0F, none});
  store_row(spectra + half * kRow, C{(first.re - first.im) * 2.0F, none});
  const float* turn = fft.turns() + 2;
  for (std::int64_t k = 1; k <= half / 2; ++k, turn += 2) {
    C low, high;
    to_spectrum(load_row(rows + fft.place(k) * kRow), load_row(rows + fft.place(half - k) * kRow),
                turn[0], turn[1], low, high);
    store_row(spectra + (half - k) * kRow, high);
    store_row(spectra + k * kRow, low);
  }
}

void separate(const LaneFft& fft, const float* rows, float* spectra) {
  Versions<separate_body>::run(fft, rows, spectra);
}

}  // namespace

void real_forward(const LaneFft& fft, const float* const* frames, const float* half_window,
                  float* rows, float* spectra) {
  gather_split(fft, frames, half_window, rows);
  for (int quarter = 0; quarter < 4; ++quarter) fft.forward_quarter(rows, quarter);
  separate(fft, rows, spectra);
}

static SDA_INLINE void first_rows_body(const LaneFft& fft, LaneFft::Group group, const float* phase,
                                       const float* magnitude, float* rows) {
  const auto at = [&](std::int64_t place) SDA_LAMBDA_INLINE {
    const C c = load_row(phase + place * kRow);
    const V m = load(magnitude + place * kLanes);
    return C{c.re * m, c.im * m};
  };
  const auto pair = [&](const LaneFft::Pair& p) SDA_LAMBDA_INLINE {
    C a, b;
    from_spectrum(at(p.low), at(p.high), p.cosine, p.sine, a, b);
    store_row(rows + p.high * kRow, b);
    store_row(rows + p.low * kRow, a);
  };
  if (group == LaneFft::kZero) {
    const C zero = at(0), nyquist = at(fft.half());
    store_row(rows, C{zero.re + nyquist.re, zero.re - nyquist.re});
    pair(fft.middle());
  }
  for (const LaneFft::Pair& p : fft.pairs(group)) pair(p);
}

void first_rows(const LaneFft& fft, LaneFft::Group group, const float* phase,
                const float* magnitude, float* rows) {
  Versions<first_rows_body>::run(fft, group, phase, magnitude, rows);
}

static SDA_INLINE void advance_body(const LaneFft& fft, LaneFft::Group group,
                                    const float* magnitude, float momentum, float* previous,
                                    float* rows) {
  const auto step = [&](C rebuilt, std::int64_t place) SDA_LAMBDA_INLINE {
    return advanced(rebuilt, previous + place * kRow, load(magnitude + place * kLanes), momentum);
  };
  if (group == LaneFft::kZero) {
    const C first = load_row(rows);
    const V none = {};
    // Both are real. Doubled, since the window was halved.
    const C zero = step(C{(first.re + first.im) * 2.0F, none}, 0);
    const C nyquist = step(C{(first.re - first.im) * 2.0F, none}, fft.half());
    store_row(rows, C{zero.re + nyquist.re, zero.re - nyquist.re});

    const LaneFft::Pair& p = fft.middle();
    float* const row = rows + p.low * kRow;
    C low, high, a, b;
    to_spectrum(load_row(row), load_row(row), p.cosine, p.sine, low, high);
    low = step(low, p.low);
    from_spectrum(low, low, p.cosine, p.sine, a, b);
    store_row(row, a);
  }
  // Spectra come from the outer caches in no regular order, so the pairs to come are prefetched.
  const std::vector<LaneFft::Pair>& pairs = fft.pairs(group);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const LaneFft::Pair& p = pairs[i];
    const LaneFft::Pair& soon = pairs[std::min(i + kAhead, pairs.size() - 1)];
    for (const std::int64_t place : {soon.low, soon.high}) {
      __builtin_prefetch(previous + place * kRow, 1);
      __builtin_prefetch(magnitude + place * kLanes);
    }
    float* const row = rows + p.low * kRow;
    float* const mirrored = rows + p.high * kRow;
    C low, high, a, b;
    to_spectrum(load_row(row), load_row(mirrored), p.cosine, p.sine, low, high);
    low = step(low, p.low);
    high = step(high, p.high);
    from_spectrum(low, high, p.cosine, p.sine, a, b);
    store_row(mirrored, b);
    store_row(row, a);
  }
}

void advance(const LaneFft& fft, LaneFft::Group group, const float* magnitude, float momentum,
             float* previous, float* rows) {
  Versions<advance_body>::run(fft, group, magnitude, momentum, previous, rows);
}

}  // namespace lanes
}  // namespace sda::engine
