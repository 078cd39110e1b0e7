#include "engine/lane_fft.h"

#include <cmath>
#include <cstring>
#include <numbers>

#include "engine/multiversion.h"

namespace sda::engine {
namespace {

constexpr std::int64_t kRow = 2 * kLanes;  // floats: real parts, then imaginary parts
// Transforms up to here lie in the first-level cache (16 KiB) and are finished one by one.
constexpr std::int64_t kInCache = 256;
constexpr std::int64_t kSmallest = 16;
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

// A whole transform of `n` rows, which lie in the cache; its own twiddles come first.
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

Plan plan_of(const std::vector<std::vector<float>>& twiddles) {
  Plan plan;
  for (const auto& table : twiddles) plan.twiddles[plan.steps++] = table.data();
  return plan;
}

SDA_MULTIVERSION void forward_rows(float* rows, std::int64_t n, const Plan& plan) {
  std::int64_t length = n, step = 0;
  for (; length > kInCache; length /= 4, ++step)
    for (std::int64_t at = 0; at < n; at += length)
      split(rows + at * kRow, length, plan.twiddles[step]);
  for (std::int64_t at = 0; at < n; at += length)
    split_all(rows + at * kRow, length, plan.twiddles + step);
}

SDA_MULTIVERSION void inverse_rows(float* rows, std::int64_t n, const Plan& plan) {
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

// Eight vectors of eight: element j of vector i becomes element i of vector j.
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
  for (std::int64_t k = 0; k <= size / 4; ++k) {
    const double angle = -kTurn * static_cast<double>(k) / static_cast<double>(size);
    turns_.push_back(static_cast<float>(std::cos(angle)));
    turns_.push_back(static_cast<float>(std::sin(angle)));
  }
}

void LaneFft::forward(float* rows) const { forward_rows(rows, half_, plan_of(twiddles_)); }

void LaneFft::inverse(float* rows) const { inverse_rows(rows, half_, plan_of(twiddles_)); }

namespace lanes {

SDA_MULTIVERSION void gather(const float* const* frames, const float* window, float* rows,
                             std::int64_t size) {
  for (std::int64_t n = 0; n < size; n += kLanes, rows += kLanes * kLanes) {
    const V weight = load(window + n);
    V v[kLanes];
    for (int lane = 0; lane < kLanes; ++lane) v[lane] = load(frames[lane] + n) * weight;
    transpose(v);
    for (int i = 0; i < kLanes; ++i) store(rows + i * kLanes, v[i]);
  }
}

SDA_MULTIVERSION void scatter(const float* rows, const float* window, float* const* frames,
                              std::int64_t size) {
  for (std::int64_t n = 0; n < size; n += kLanes, rows += kLanes * kLanes) {
    const V weight = load(window + n);
    V v[kLanes];
    for (int i = 0; i < kLanes; ++i) v[i] = load(rows + i * kLanes);
    transpose(v);
    for (int lane = 0; lane < kLanes; ++lane) store(frames[lane] + n, v[lane] * weight);
  }
}

namespace {

// The spectrum of real samples at k and at half − k, out of the complex transform's a and b there.
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
  // In the order that torch rounds in: the phase first, by the reciprocal of its length.
  const V reciprocal = 1.0F / (square_root(a.re * a.re + a.im * a.im) + 1e-16F);
  return {a.re * reciprocal * magnitude, a.im * reciprocal * magnitude};
}

}  // namespace

SDA_MULTIVERSION void first_rows(const LaneFft& fft, const float* phase, const float* magnitude,
                                 float* rows) {
  const std::int64_t half = fft.size() / 2;
  const auto at = [&](std::int64_t k) SDA_LAMBDA_INLINE {
    const C c = load_row(phase + k * kRow);
    const V m = load(magnitude + k * kLanes);
    return C{c.re * m, c.im * m};
  };
  const C zero = at(0), nyquist = at(half);
  store_row(rows, C{zero.re + nyquist.re, zero.re - nyquist.re});
  for (std::int64_t k = 1; k <= half / 2; ++k) {
    C a, b;
    from_spectrum(at(k), at(half - k), fft.turns()[2 * k], fft.turns()[2 * k + 1], a, b);
    store_row(rows + fft.place(half - k) * kRow, b);
    store_row(rows + fft.place(k) * kRow, a);
  }
}

SDA_MULTIVERSION void advance(const LaneFft& fft, const float* magnitude, float momentum,
                              float* previous, float* rows) {
  const std::int64_t half = fft.size() / 2;
  const std::int32_t* const places = fft.places();
  const float* const turns = fft.turns();
  const auto step = [&](C rebuilt, std::int64_t k) SDA_LAMBDA_INLINE {
    return advanced(rebuilt, previous + k * kRow, load(magnitude + k * kLanes), momentum);
  };
  const C first = load_row(rows);
  const V none = {};
  // Both are real: twice a half of each, as the window was halved.
  const C zero = step(C{(first.re + first.im) * 2.0F, none}, 0);
  const C nyquist = step(C{(first.re - first.im) * 2.0F, none}, half);
  store_row(rows, C{zero.re + nyquist.re, zero.re - nyquist.re});
  for (std::int64_t k = 1; k <= half / 2; ++k) {
    float* const row = rows + places[k] * kRow;
    float* const mirrored = rows + places[half - k] * kRow;
    C low, high, a, b;
    to_spectrum(load_row(row), load_row(mirrored), turns[2 * k], turns[2 * k + 1], low, high);
    low = step(low, k);
    if (k < half - k)
      high = step(high, half - k);
    else
      high = low;
    from_spectrum(low, high, turns[2 * k], turns[2 * k + 1], a, b);
    store_row(mirrored, b);
    store_row(row, a);
  }
}

}  // namespace lanes
}  // namespace sda::engine
