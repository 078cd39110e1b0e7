#include "engine/network/conv_kernels.h"

#include "engine/dispatch.h"

namespace sda::engine::kernels {

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
