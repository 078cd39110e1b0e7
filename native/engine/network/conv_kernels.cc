#include "engine/network/conv_kernels.h"

#include "engine/multiversion.h"
#include "os/cpu_features.h"

namespace sda::engine::kernels {
namespace {

#if defined(__x86_64__)
enum class Instructions { kPlain, kFma, kAvx512 };

Instructions instructions() {
  static const Instructions best = [] {
    if (!has_avx2()) return Instructions::kPlain;
    return os::cpu_features().avx512f ? Instructions::kAvx512 : Instructions::kFma;
  }();
  return best;
}
#endif

}  // namespace

#if defined(__x86_64__)
#define SDA_DISPATCH(call)                               \
  instructions() == Instructions::kAvx512 ? avx512::call \
  : instructions() == Instructions::kFma  ? fma::call    \
                                          : plain::call
#else
#define SDA_DISPATCH(call) plain::call
#endif

float dot(const float* a, const float* b, std::int64_t count) {
  return SDA_DISPATCH(dot(a, b, count));
}

void conv_row(const Conv& layer, const float* x, std::int64_t row, std::int64_t height,
              std::int64_t width, float* y) {
  SDA_DISPATCH(conv_row(layer, x, row, height, width, y));
}

void transposed_conv_row(const Conv& layer, const float* x, std::int64_t row, std::int64_t height,
                         std::int64_t width, float* y) {
  SDA_DISPATCH(transposed_conv_row(layer, x, row, height, width, y));
}

void transposed_conv_row_of_one(const float* taps, std::int64_t inputs, const float* x,
                                std::int64_t row, std::int64_t height, std::int64_t width,
                                float* out) {
  SDA_DISPATCH(transposed_conv_row_of_one(taps, inputs, x, row, height, width, out));
}

}  // namespace sda::engine::kernels
