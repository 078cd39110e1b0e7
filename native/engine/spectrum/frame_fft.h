// Real FFTs of single frames: by MKL's own interface where LibTorch contains MKL, by ATen
// elsewhere.
#pragma once

#include <complex>
#include <cstdint>
#include <memory>

namespace sda::engine {

// Immutable after construction: any number of threads may transform at once.
class FrameFft {
 public:
  explicit FrameFft(std::int64_t size);

  std::int64_t size() const { return size_; }
  std::int64_t bins() const { return size_ / 2 + 1; }

  // `size` reals → `bins` complex values.
  void forward(const float* frame, std::complex<float>* spectrum) const;

  // `bins` complex values → `size` reals, divided by `size`.
  void inverse(const std::complex<float>* spectrum, float* frame) const;

 private:
  std::int64_t size_;
  std::shared_ptr<void> mkl_;  // a committed DFTI descriptor; null where ATen does the work
};

}  // namespace sda::engine
