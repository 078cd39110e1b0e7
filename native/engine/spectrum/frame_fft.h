// Real FFTs of single frames of any size.
#pragma once

#include <complex>
#include <cstdint>
#include <vector>

namespace sda::engine {

// Computes in double precision. Immutable after construction: any number of threads may transform
// at once.
//
// Sizes whose prime factors are small are split into them (Cooley and Tukey 1965, "An algorithm for
// the machine calculation of complex Fourier series"); others become a convolution of a power of
// two (Bluestein 1970, "A linear filtering approach to the computation of discrete Fourier
// transform").
class FrameFft {
 public:
  explicit FrameFft(std::int64_t size);

  std::int64_t size() const { return size_; }
  std::int64_t bins() const { return size_ / 2 + 1; }

  // `size` reals → `bins` complex values.
  void forward(const float* frame, std::complex<float>* spectrum) const;

  // `bins` complex values → `size` reals, divided by `size`. The imaginary parts of the first and,
  // for an even size, the last value do not count.
  void inverse(const std::complex<float>* spectrum, float* frame) const;

 private:
  using Complex = std::complex<double>;

  // Forward transforms of one size.
  class Plan {
   public:
    explicit Plan(std::int64_t size);
    // Takes and returns the values in place. `space` has as many.
    void run(Complex* values, Complex* space) const;

   private:
    void pass(const Complex* from, Complex* to, std::int64_t factor, std::int64_t done) const;

    std::int64_t size_;
    std::vector<std::int64_t> factors_;
    std::vector<Complex> turns_;  // e^(−2πik / size)
  };

  // The forward transform of `values`, which has room for twice plan_size() values.
  void transform(Complex* values) const;

  std::int64_t size_, plan_size_;
  Plan plan_;                            // of this size, or of the convolution
  std::vector<Complex> chirp_;           // e^(−πik² / size); empty where the size is split
  std::vector<Complex> chirp_spectrum_;  // of its conjugate
};

}  // namespace sda::engine
