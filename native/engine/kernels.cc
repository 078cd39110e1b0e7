#include "engine/kernels.h"

#include <cmath>

// Function multiversioning instead of -march=native: one binary, the machine's own vectors.
#if defined(__x86_64__) && defined(__linux__) && defined(__has_attribute)
#if __has_attribute(target_clones)
#define SDA_MULTIVERSION __attribute__((target_clones("default", "avx2", "avx512f")))
#endif
#endif
#ifndef SDA_MULTIVERSION
#define SDA_MULTIVERSION
#endif

namespace sda::engine::kernels {

SDA_MULTIVERSION void multiply(const float* a, const float* b, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = a[i] * b[i];
}

SDA_MULTIVERSION void divide(const float* a, const float* b, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = a[i] / b[i];
}

SDA_MULTIVERSION void accumulate(const float* a, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] += a[i];
}

SDA_MULTIVERSION void scale_spectrum(const float* __restrict magnitude,
                                     std::complex<float>* __restrict spectrum, std::int64_t count) {
  auto* values = reinterpret_cast<float*>(spectrum);
  for (std::int64_t i = 0; i < count; ++i) {
    values[2 * i] *= magnitude[i];
    values[2 * i + 1] *= magnitude[i];
  }
}

SDA_MULTIVERSION void squared_magnitude(const std::complex<float>* __restrict spectrum,
                                        float* __restrict out, std::int64_t count) {
  const auto* values = reinterpret_cast<const float*>(spectrum);
  for (std::int64_t i = 0; i < count; ++i) {
    out[i] = values[2 * i] * values[2 * i] + values[2 * i + 1] * values[2 * i + 1];
  }
}

SDA_MULTIVERSION void advance_phase(const std::complex<float>* __restrict rebuilt,
                                    std::complex<float>* __restrict previous,
                                    const float* __restrict magnitude, float momentum,
                                    std::int64_t count) {
  const auto* now = reinterpret_cast<const float*>(rebuilt);
  auto* before = reinterpret_cast<float*>(previous);
  for (std::int64_t i = 0; i < count; ++i) {
    const float real = now[2 * i] - momentum * before[2 * i];
    const float imag = now[2 * i + 1] - momentum * before[2 * i + 1];
    // torch's |a| is right to half a unit in the last place, which takes a wider sum of squares;
    // its division multiplies by the reciprocal.
    const double square = double{real} * real + double{imag} * imag;
    const float reciprocal = 1.0F / (static_cast<float>(std::sqrt(square)) + 1e-16F);
    before[2 * i] = magnitude[i] * (real * reciprocal);
    before[2 * i + 1] = magnitude[i] * (imag * reciprocal);
  }
}

}  // namespace sda::engine::kernels
