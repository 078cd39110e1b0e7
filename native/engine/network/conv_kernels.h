// The inner loops of the network. Each sum is a sequence of fused multiply-adds in a fixed order,
// so it has the same bits on every processor; vectors hold the sums of several outputs.
#pragma once

#include <cstdint>

namespace sda::engine::kernels {

// Σ a[i]·b[i], in eight partial sums.
float dot(const float* a, const float* b, std::int64_t count);

// A 3×3 convolution, followed by batch normalisation and rectification.
struct Conv {
  const float* taps;  // [3, 3, inputs, outputs]
  const float* bias;
  const float* scale;
  const float* shift;
  std::int64_t inputs, outputs;  // outputs is a multiple of 32
};

// Output row `row` of max(0, (conv(x) + bias)·scale + shift): a convolution with stride 2 and
// padding 1, on x [height, width, inputs] → y [height / 2, width / 2, outputs]. Both extents are
// even.
void conv_row(const Conv& layer, const float* x, std::int64_t row, std::int64_t height,
              std::int64_t width, float* y);

// Output rows 2·row and 2·row + 1 of max(0, (conv(x) + bias)·scale + shift): a transposed
// convolution with stride 2, padding 1 and output padding 1, on x [height, width, inputs] →
// y [2 height, 2 width, outputs].
void transposed_conv_row(const Conv& layer, const float* x, std::int64_t row, std::int64_t height,
                         std::int64_t width, float* y);

// The same convolution for one output channel, without bias, scale, shift and max: taps is
// [3, 3, inputs], inputs is a multiple of 8, and `out` gets the two rows.
void transposed_conv_row_of_one(const float* taps, std::int64_t inputs, const float* x,
                                std::int64_t row, std::int64_t height, std::int64_t width,
                                float* out);

// The functions above call one of these three versions: `plain` runs on any processor, `fma` needs
// AVX2 and FMA, `avx512` needs AVX-512.
#define SDA_DECLARE_KERNELS                                                                  \
  float dot(const float* a, const float* b, std::int64_t count);                             \
  void conv_row(const Conv& layer, const float* x, std::int64_t row, std::int64_t height,    \
                std::int64_t width, float* y);                                               \
  void transposed_conv_row(const Conv& layer, const float* x, std::int64_t row,              \
                           std::int64_t height, std::int64_t width, float* y);               \
  void transposed_conv_row_of_one(const float* taps, std::int64_t inputs, const float* x,    \
                                  std::int64_t row, std::int64_t height, std::int64_t width, \
                                  float* out);
namespace plain {
SDA_DECLARE_KERNELS
}
namespace fma {
SDA_DECLARE_KERNELS
}
namespace avx512 {
SDA_DECLARE_KERNELS
}
#undef SDA_DECLARE_KERNELS

}  // namespace sda::engine::kernels
