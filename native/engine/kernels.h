// The inner loops of the spectrogram and the decoder, compiled once per instruction set; the loader
// chooses. They allocate nothing and run on the calling thread.
#pragma once

#include <complex>
#include <cstdint>

namespace sda::engine::kernels {

// out[i] = a[i] · b[i]; `out` may be `a`.
void multiply(const float* a, const float* b, float* out, std::int64_t count);

// out[i] = a[i] / b[i]; `out` may be `a`.
void divide(const float* a, const float* b, float* out, std::int64_t count);

// values[i] = √values[i]
void square_root(float* values, std::int64_t count);

// out[i] += a[i]
void accumulate(const float* a, float* out, std::int64_t count);

// spectrum[i] *= magnitude[i]
void scale_spectrum(const float* magnitude, std::complex<float>* spectrum, std::int64_t count);

// out[i] = max(0, Σ weights[k] · rows[k][i]) over `count` rows of `length` values, in double
// precision, summed in the order of k.
void weighted_sum(const double* weights, const double* rows, std::int64_t count,
                  std::int64_t length, float* out);

// out[i] = 1 / (1 + e^-(x[i] + bias)), computed in double precision and rounded to float.
void sigmoid(const float* x, float bias, float* out, std::int64_t count);

// The same with max(0, v) + ln(1 + e^-|v|) of v = x[i] + bias, and v itself above 20: torch's
// softplus.
void softplus(const float* x, float bias, float* out, std::int64_t count);

// The same with the hyperbolic tangent.
void tanh(const float* x, float bias, float* out, std::int64_t count);

// The same with e^v − 1 of v = max(0, x[i]), without bias.
void expm1_positive(const float* x, float* out, std::int64_t count);

// out[lane] = Σ weights[k] · rows[k][lane] for eight lanes, summed in the order of k.
void weighted_lanes(const float* weights, const float* rows, std::int64_t count, float* out);

// out[k][lane] = |spectra[k]|² for eight frames side by side: spectra is [count][2][8].
void squared_magnitude_lanes(const float* spectra, float* out, std::int64_t count);

// out[i] = |spectrum[i]|²
void squared_magnitude(const std::complex<float>* spectrum, float* out, std::int64_t count);

// One step of the fast Griffin-Lim algorithm on one frame: with a = rebuilt − momentum·previous,
// previous[i] becomes magnitude[i] · a / (|a| + 1e-16), the spectrum to synthesise next.
void advance_phase(const std::complex<float>* rebuilt, std::complex<float>* previous,
                   const float* magnitude, float momentum, std::int64_t count);

}  // namespace sda::engine::kernels
