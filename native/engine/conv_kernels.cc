#include "engine/conv_kernels.h"

namespace sda::engine::kernels {
namespace {

#if defined(__x86_64__)
bool has_fma() {
  static const bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return has;
}
#endif

}  // namespace

#if defined(__x86_64__)
#define SDA_DISPATCH(call) has_fma() ? fma::call : plain::call
#else
#define SDA_DISPATCH(call) plain::call
#endif

float dot(const float* a, const float* b, std::int64_t count) {
  return SDA_DISPATCH(dot(a, b, count));
}

void transposed_conv_row(const TransposedConv& layer, const float* x, std::int64_t row,
                         std::int64_t height, std::int64_t width, float* y) {
  SDA_DISPATCH(transposed_conv_row(layer, x, row, height, width, y));
}

void transposed_conv_row_of_one(const float* taps, std::int64_t inputs, const float* x,
                                std::int64_t row, std::int64_t height, std::int64_t width,
                                float* out) {
  SDA_DISPATCH(transposed_conv_row_of_one(taps, inputs, x, row, height, width, out));
}

}  // namespace sda::engine::kernels
