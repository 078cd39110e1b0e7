#include "engine/vocoder/conv1d_kernels.h"

#include "engine/dispatch.h"

namespace sda::engine::kernels {

void conv1d(const Conv1d& layer, const float* x, std::int64_t x_stride, std::int64_t count,
            std::int64_t rows, float* out, std::int64_t out_stride, const Conv1dFinish& finish) {
  SDA_DISPATCH(conv1d(layer, x, x_stride, count, rows, out, out_stride, finish));
}

}  // namespace sda::engine::kernels
