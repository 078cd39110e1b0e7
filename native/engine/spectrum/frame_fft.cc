#include "engine/spectrum/frame_fft.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
#include <utility>

namespace sda::engine {
namespace {

// Larger prime factors cost more than Bluestein's convolution.
constexpr std::int64_t kLargestFactor = 31;

std::vector<std::int64_t> factors_of(std::int64_t size) {
  std::vector<std::int64_t> factors;
  for (const std::int64_t factor : {4, 2, 3})
    for (; size % factor == 0; size /= factor) factors.push_back(factor);
  for (std::int64_t factor = 5; size > 1; factor += 2)
    for (; size % factor == 0; size /= factor) factors.push_back(factor);
  return factors;
}

bool is_split(std::int64_t size) {
  const std::vector<std::int64_t> factors = factors_of(size);
  return factors.empty() || *std::max_element(factors.begin(), factors.end()) <= kLargestFactor;
}

std::int64_t padded_size(std::int64_t size) {
  if (is_split(size)) return size;
  return static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(2 * size - 1)));
}

// e^(−2πi · part / whole), for parts of any size.
std::complex<double> turn(std::int64_t part, std::int64_t whole) {
  const double angle =
      -2.0 * std::numbers::pi * static_cast<double>(part % whole) / static_cast<double>(whole);
  return {std::cos(angle), std::sin(angle)};
}

// std::complex's product also handles infinities, which takes several times as long.
std::complex<double> product(std::complex<double> a, std::complex<double> b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

// Memory of this thread, kept from one transform to the next.
std::complex<double>* scratch(std::int64_t count) {
  static thread_local std::vector<std::complex<double>> values;
  if (values.size() < static_cast<std::size_t>(count))
    values.resize(static_cast<std::size_t>(count));
  return values.data();
}

}  // namespace

FrameFft::Plan::Plan(std::int64_t size) : size_(size), factors_(factors_of(size)) {
  for (std::int64_t k = 0; k < size; ++k) turns_.push_back(turn(k, size));
}

// One step of an algorithm that sorts by itself (Stockham 1966, "High-speed convolution and
// correlation"). Before it, from[j·n + q] is frequency j of the values q, q + n, q + 2n, …, where
// n = size / done. After it, the same holds for done · factor.
void FrameFft::Plan::pass(const Complex* from, Complex* to, std::int64_t factor,
                          std::int64_t done) const {
  const std::int64_t rest = size_ / (done * factor);
  for (std::int64_t frequency = 0; frequency < done * factor; ++frequency) {
    const Complex* const in = from + frequency % done * factor * rest;
    Complex* const out = to + frequency * rest;
    std::copy_n(in, rest, out);
    for (std::int64_t part = 1; part < factor; ++part) {
      const Complex weight = turns_[static_cast<std::size_t>(part * frequency * rest % size_)];
      for (std::int64_t q = 0; q < rest; ++q) out[q] += product(weight, in[part * rest + q]);
    }
  }
}

void FrameFft::Plan::run(Complex* values, Complex* space) const {
  Complex* from = values;
  Complex* to = space;
  std::int64_t done = 1;
  for (const std::int64_t factor : factors_) {
    pass(from, to, factor, done);
    std::swap(from, to);
    done *= factor;
  }
  if (from != values) std::copy_n(from, size_, values);
}

FrameFft::FrameFft(std::int64_t size)
    : size_(size), plan_size_(padded_size(size)), plan_(plan_size_) {
  if (plan_size_ == size) return;
  chirp_spectrum_.resize(static_cast<std::size_t>(plan_size_));
  for (std::int64_t k = 0; k < size; ++k) {
    chirp_.push_back(turn(k * k, 2 * size));
    const Complex inverse = std::conj(chirp_.back());
    chirp_spectrum_[static_cast<std::size_t>(k)] = inverse;
    if (k > 0) chirp_spectrum_[static_cast<std::size_t>(plan_size_ - k)] = inverse;
  }
  plan_.run(chirp_spectrum_.data(), scratch(plan_size_));
}

void FrameFft::transform(Complex* values) const {
  Complex* const space = values + plan_size_;
  if (chirp_.empty()) return plan_.run(values, space);
  for (std::int64_t k = 0; k < size_; ++k)
    values[k] = product(values[k], chirp_[static_cast<std::size_t>(k)]);
  std::fill(values + size_, values + plan_size_, Complex{});
  plan_.run(values, space);
  // The inverse transform of x is the conjugate of the transform of x's conjugate.
  for (std::int64_t k = 0; k < plan_size_; ++k)
    values[k] = std::conj(product(values[k], chirp_spectrum_[static_cast<std::size_t>(k)]));
  plan_.run(values, space);
  const double scale = 1.0 / static_cast<double>(plan_size_);
  for (std::int64_t k = 0; k < size_; ++k)
    values[k] = product(std::conj(values[k]) * scale, chirp_[static_cast<std::size_t>(k)]);
}

void FrameFft::forward(const float* frame, std::complex<float>* spectrum) const {
  Complex* const values = scratch(2 * plan_size_);
  std::copy_n(frame, size_, values);
  transform(values);
  for (std::int64_t k = 0; k < bins(); ++k) spectrum[k] = std::complex<float>(values[k]);
}

void FrameFft::inverse(const std::complex<float>* spectrum, float* frame) const {
  Complex* const values = scratch(2 * plan_size_);
  // The conjugate of a spectrum that is symmetric, since the frame is real.
  for (std::int64_t k = 0; k < bins(); ++k) {
    const Complex value(spectrum[k]);
    values[k] = std::conj(value);
    if (k > 0) values[size_ - k] = value;
  }
  values[0] = values[0].real();
  if (size_ % 2 == 0) values[size_ / 2] = values[size_ / 2].real();
  transform(values);
  const double scale = 1.0 / static_cast<double>(size_);
  for (std::int64_t i = 0; i < size_; ++i) frame[i] = static_cast<float>(values[i].real() * scale);
}

}  // namespace sda::engine
