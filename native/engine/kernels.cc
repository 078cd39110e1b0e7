#include "engine/kernels.h"

#include <bit>
#include <cmath>

#include "engine/multiversion.h"

namespace sda::engine::kernels {

static SDA_INLINE void multiply_body(const float* a, const float* b, float* out,
                                     std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = a[i] * b[i];
}

void multiply(const float* a, const float* b, float* out, std::int64_t count) {
  Versions<multiply_body>::run(a, b, out, count);
}

static SDA_INLINE void divide_body(const float* a, const float* b, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = a[i] / b[i];
}

void divide(const float* a, const float* b, float* out, std::int64_t count) {
  Versions<divide_body>::run(a, b, out, count);
}

static SDA_INLINE void square_root_body(float* values, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) values[i] = std::sqrt(values[i]);
}

void square_root(float* values, std::int64_t count) {
  Versions<square_root_body>::run(values, count);
}

static SDA_INLINE void accumulate_body(const float* a, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] += a[i];
}

void accumulate(const float* a, float* out, std::int64_t count) {
  Versions<accumulate_body>::run(a, out, count);
}

static SDA_INLINE void scale_spectrum_body(const float* __restrict magnitude,
                                           std::complex<float>* __restrict spectrum,
                                           std::int64_t count) {
  auto* values = reinterpret_cast<float*>(spectrum);
  for (std::int64_t i = 0; i < count; ++i) {
    values[2 * i] *= magnitude[i];
    values[2 * i + 1] *= magnitude[i];
  }
}

void scale_spectrum(const float* magnitude, std::complex<float>* spectrum, std::int64_t count) {
  Versions<scale_spectrum_body>::run(magnitude, spectrum, count);
}

namespace {

// e^x for |x| ≤ kFarthest, to about a unit in the last place: x = n·ln 2 + r, and the series of e^r
// (Cody and Waite 1980, "Software Manual for the Elementary Functions"). The C library's exp rounds
// differently on different processors, and takes one value at a time.
constexpr double kFarthest = 700.0;
constexpr double kShifter = 6755399441055744.0;  // 1.5 · 2^52: adding it rounds to a whole number
constexpr double kLn2High = 0.693147180369123816490, kLn2Low = 1.90821492927058770002e-10;
constexpr double kSeries[] = {1.0,
                              1.0,
                              1.0 / 2,
                              1.0 / 6,
                              1.0 / 24,
                              1.0 / 120,
                              1.0 / 720,
                              1.0 / 5040,
                              1.0 / 40320,
                              1.0 / 362880,
                              1.0 / 3628800,
                              1.0 / 39916800,
                              1.0 / 479001600,
                              1.0 / 6227020800};

SDA_INLINE double exponential(double x) {
  const double shifted = x * 1.44269504088896340736 + kShifter;
  const double n = shifted - kShifter;
  const double r = x - n * kLn2High - n * kLn2Low;
  double sum = kSeries[13];
  for (int i = 12; i >= 0; --i) sum = sum * r + kSeries[i];
  // The low bits of the shifted value hold n. Added to the exponent bits, it scales by 2^n.
  const auto bits = std::bit_cast<std::int64_t>(shifted) << 52;
  return std::bit_cast<double>(std::bit_cast<std::int64_t>(sum) + bits);
}

}  // namespace

static SDA_INLINE void weighted_lanes_body(const float* weights, const float* rows,
                                           std::int64_t count, float* out) {
  float sums[8] = {};
  for (std::int64_t k = 0; k < count; ++k)
    for (int lane = 0; lane < 8; ++lane) sums[lane] += weights[k] * rows[8 * k + lane];
  for (int lane = 0; lane < 8; ++lane) out[lane] = sums[lane];
}

void weighted_lanes(const float* weights, const float* rows, std::int64_t count, float* out) {
  Versions<weighted_lanes_body>::run(weights, rows, count, out);
}

static SDA_INLINE void squared_magnitude_lanes_body(const float* __restrict spectra,
                                                    float* __restrict out, std::int64_t count) {
  for (std::int64_t k = 0; k < count; ++k)
    for (int lane = 0; lane < 8; ++lane) {
      const float re = spectra[16 * k + lane], im = spectra[16 * k + 8 + lane];
      out[8 * k + lane] = re * re + im * im;
    }
}

void squared_magnitude_lanes(const float* spectra, float* out, std::int64_t count) {
  Versions<squared_magnitude_lanes_body>::run(spectra, out, count);
}

static SDA_INLINE void sigmoid_body(const float* x, float bias, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const double wide = -static_cast<double>(x[i] + bias);
    // Clamped by comparisons that leave a NaN as it is.
    const double low = wide > kFarthest ? kFarthest : wide;
    const double near = low < -kFarthest ? -kFarthest : low;
    out[i] = static_cast<float>(1.0 / (1.0 + exponential(near)));
  }
}

void sigmoid(const float* x, float bias, float* out, std::int64_t count) {
  Versions<sigmoid_body>::run(x, bias, out, count);
}

// ln(1 + t) for 0 ≤ t ≤ 1, to about 1e-15 of it: 2·artanh(s) with s = t / (2 + t) ≤ 1/3, as a
// series in s².
static SDA_INLINE double logarithm_from_1_to_2(double t) {
  const double s = t / (2.0 + t), square = s * s;
  double sum = 0.0;
  for (int i = 29; i >= 1; i -= 2) sum = sum * square + 1.0 / i;
  return 2.0 * s * sum;
}

static SDA_INLINE void softplus_body(const float* x, float bias, float* out, std::int64_t count) {
  constexpr float kThreshold = 20.0F;
  for (std::int64_t i = 0; i < count; ++i) {
    const float v = x[i] + bias;
    const double size = v < 0.0F ? -static_cast<double>(v) : static_cast<double>(v);
    const double near = size > kFarthest ? kFarthest : size;
    const double high = v > 0.0F ? static_cast<double>(v) : 0.0;
    const auto soft = static_cast<float>(high + logarithm_from_1_to_2(exponential(-near)));
    out[i] = v > kThreshold ? v : soft;
  }
}

void softplus(const float* x, float bias, float* out, std::int64_t count) {
  Versions<softplus_body>::run(x, bias, out, count);
}

static SDA_INLINE void tanh_body(const float* x, float bias, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const double v = static_cast<double>(x[i] + bias);
    // Beyond ±20, the float is ±1.
    const double low = v > 20.0 ? 20.0 : v;
    const double near = low < -20.0 ? -20.0 : low;
    const double square = exponential(2.0 * near);
    out[i] = static_cast<float>((square - 1.0) / (square + 1.0));
  }
}

void tanh(const float* x, float bias, float* out, std::int64_t count) {
  Versions<tanh_body>::run(x, bias, out, count);
}

static SDA_INLINE void expm1_positive_body(const float* x, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const double v = x[i] > 0.0F ? static_cast<double>(x[i]) : 0.0;
    const double near = v > kFarthest ? kFarthest : v;
    out[i] = static_cast<float>(exponential(near) - 1.0);
  }
}

void expm1_positive(const float* x, float* out, std::int64_t count) {
  Versions<expm1_positive_body>::run(x, out, count);
}

static SDA_INLINE void weighted_sum_body(const double* weights, const double* rows,
                                         std::int64_t count, std::int64_t length, float* out) {
  constexpr std::int64_t kTile = 32;  // as many sums as fit into the registers
  for (std::int64_t first = 0; first < length; first += kTile) {
    double sums[kTile] = {};
    if (length - first >= kTile) {
      for (std::int64_t k = 0; k < count; ++k)
        for (std::int64_t i = 0; i < kTile; ++i)
          sums[i] = __builtin_fma(weights[k], rows[k * length + first + i], sums[i]);
    } else {
      for (std::int64_t k = 0; k < count; ++k)
        for (std::int64_t i = 0; i < length - first; ++i)
          sums[i] = __builtin_fma(weights[k], rows[k * length + first + i], sums[i]);
    }
    const std::int64_t filled = length - first < kTile ? length - first : kTile;
    for (std::int64_t i = 0; i < filled; ++i)
      out[first + i] = sums[i] < 0.0 ? 0.0F : static_cast<float>(sums[i]);
  }
}

void weighted_sum(const double* weights, const double* rows, std::int64_t count,
                  std::int64_t length, float* out) {
  Versions<weighted_sum_body>::run(weights, rows, count, length, out);
}

static SDA_INLINE void squared_magnitude_body(const std::complex<float>* __restrict spectrum,
                                              float* __restrict out, std::int64_t count) {
  const auto* values = reinterpret_cast<const float*>(spectrum);
  for (std::int64_t i = 0; i < count; ++i) {
    out[i] = values[2 * i] * values[2 * i] + values[2 * i + 1] * values[2 * i + 1];
  }
}

void squared_magnitude(const std::complex<float>* spectrum, float* out, std::int64_t count) {
  Versions<squared_magnitude_body>::run(spectrum, out, count);
}

static SDA_INLINE void advance_phase_body(const std::complex<float>* __restrict rebuilt,
                                          std::complex<float>* __restrict previous,
                                          const float* __restrict magnitude, float momentum,
                                          std::int64_t count) {
  const auto* now = reinterpret_cast<const float*>(rebuilt);
  auto* before = reinterpret_cast<float*>(previous);
  for (std::int64_t i = 0; i < count; ++i) {
    const float real = now[2 * i] - momentum * before[2 * i];
    const float imag = now[2 * i + 1] - momentum * before[2 * i + 1];
    // torch's |a| is correct to half a unit in the last place, so the squares are summed in double.
    // torch's division multiplies by the reciprocal.
    const double square = double{real} * real + double{imag} * imag;
    const float reciprocal = 1.0F / (static_cast<float>(std::sqrt(square)) + 1e-16F);
    before[2 * i] = magnitude[i] * (real * reciprocal);
    before[2 * i + 1] = magnitude[i] * (imag * reciprocal);
  }
}

void advance_phase(const std::complex<float>* rebuilt, std::complex<float>* previous,
                   const float* magnitude, float momentum, std::int64_t count) {
  Versions<advance_phase_body>::run(rebuilt, previous, magnitude, momentum, count);
}

}  // namespace sda::engine::kernels
