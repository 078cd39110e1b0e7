#include "engine/spectrum/frame_fft.h"

#include <ATen/ops/_fft_c2r.h>
#include <ATen/ops/_fft_r2c.h>
#include <ATen/ops/from_blob.h>

#include <new>

// MKL's DFTI interface, which libtorch_cpu exports and LibTorch ships no header for. The symbols
// are weak: with a LibTorch without MKL they are null. ATen builds a new plan for every call, which
// takes as long as a dozen frames.
#if defined(__linux__) && defined(__x86_64__)
extern "C" {
long DftiCreateDescriptor_s_1d(void** descriptor, int domain, long length) __attribute__((weak));
long DftiSetValue(void* descriptor, int parameter, ...) __attribute__((weak));
long DftiCommitDescriptor(void* descriptor) __attribute__((weak));
long DftiFreeDescriptor(void** descriptor) __attribute__((weak));
long DftiComputeForward(void* descriptor, void* in, ...) __attribute__((weak));
long DftiComputeBackward(void* descriptor, void* in, ...) __attribute__((weak));
}
#define SDA_HAS_DFTI 1
#endif

namespace sda::engine {
namespace {

// ATen's numbers for norm=None and norm="forward", seen from the forward transform.
constexpr std::int64_t kUnscaled = 0;
constexpr std::int64_t kDividedBySize = 2;

#ifdef SDA_HAS_DFTI
// Values of mkl_dfti.h.
constexpr int kBackwardScale = 5;
constexpr int kConjugateEvenStorage = 10;
constexpr int kPlacement = 11;
constexpr int kThreadLimit = 27;
constexpr int kReal = 33;
constexpr int kComplexComplex = 39;
constexpr int kNotInplace = 44;

std::shared_ptr<void> make_descriptor(std::int64_t size) {
  if (DftiCreateDescriptor_s_1d == nullptr || DftiSetValue == nullptr ||
      DftiCommitDescriptor == nullptr || DftiFreeDescriptor == nullptr ||
      DftiComputeForward == nullptr || DftiComputeBackward == nullptr) {
    return nullptr;
  }
  void* handle = nullptr;
  if (DftiCreateDescriptor_s_1d(&handle, kReal, static_cast<long>(size)) != 0) return nullptr;
  std::shared_ptr<void> descriptor(handle, [](void* owned) { DftiFreeDescriptor(&owned); });
  // Each transform runs on one thread: the threads share the frames.
  const bool ready = DftiSetValue(handle, kConjugateEvenStorage, kComplexComplex) == 0 &&
                     DftiSetValue(handle, kPlacement, kNotInplace) == 0 &&
                     DftiSetValue(handle, kBackwardScale, 1.0 / static_cast<double>(size)) == 0 &&
                     DftiSetValue(handle, kThreadLimit, 1L) == 0 &&
                     DftiCommitDescriptor(handle) == 0;
  return ready ? descriptor : nullptr;
}
#else
std::shared_ptr<void> make_descriptor(std::int64_t) { return nullptr; }
#endif

at::Tensor wrap(const float* data, std::int64_t count) {
  return at::from_blob(const_cast<float*>(data), {count}, at::TensorOptions().dtype(at::kFloat));
}

at::Tensor wrap(const std::complex<float>* data, std::int64_t count) {
  return at::from_blob(const_cast<std::complex<float>*>(data), {count},
                       at::TensorOptions().dtype(at::kComplexFloat));
}

}  // namespace

FrameFft::FrameFft(std::int64_t size) : size_(size), mkl_(make_descriptor(size)) {}

void FrameFft::forward(const float* frame, std::complex<float>* spectrum) const {
#ifdef SDA_HAS_DFTI
  if (mkl_ != nullptr) {
    // MKL takes a non-const input, but does not write to it unless the transform is in place.
    if (DftiComputeForward(mkl_.get(), const_cast<float*>(frame), spectrum) != 0) {
      throw std::bad_alloc();  // a committed plan can only fail to allocate its work space
    }
    return;
  }
#endif
  wrap(spectrum, bins()).copy_(at::_fft_r2c(wrap(frame, size_), {0}, kUnscaled, true));
}

void FrameFft::inverse(const std::complex<float>* spectrum, float* frame) const {
#ifdef SDA_HAS_DFTI
  if (mkl_ != nullptr) {
    if (DftiComputeBackward(mkl_.get(), const_cast<std::complex<float>*>(spectrum), frame) != 0) {
      throw std::bad_alloc();
    }
    return;
  }
#endif
  wrap(frame, size_).copy_(at::_fft_c2r(wrap(spectrum, bins()), {0}, kDividedBySize, size_));
}

}  // namespace sda::engine
