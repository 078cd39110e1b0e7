// The inner loops of HiFi-GAN: one-dimensional convolutions over rows of samples, one row per
// channel. Each sum is a sequence of fused multiply-adds in a fixed order, so it has the same bits
// on every processor; vectors hold neighbouring samples.
#pragma once

#include <cstdint>

namespace sda::engine::kernels {

// Outputs whose taps lie beside each other in Conv1d::taps.
inline constexpr std::int64_t kConvOutputs = 4;
// Input rows must be readable for this many samples past the last that a convolution needs.
inline constexpr std::int64_t kConvReach = 64;

// A convolution with the taps of kConvOutputs outputs side by side.
struct Conv1d {
  const float* taps;             // [outputs / kConvOutputs, inputs, width, kConvOutputs]
  const float* bias;             // [outputs]
  std::int64_t inputs, outputs;  // outputs is a multiple of kConvOutputs
  std::int64_t width, dilation;
};

// What becomes of a sum v of the convolution. leaky(v) is v, or v · slope where that is larger.
enum class Finish {
  kStore,      // out = v
  kLeaky,      // out = leaky(v)
  kResidual,   // out = rest + v, and leaky_out = leaky(out)
  kFirstMean,  // out = rest + v
  kMean,       // out = out + (rest + v)
  kLastMean,   // out = leaky((out + (rest + v)) / blocks)
  kOnlyMean,   // out = leaky(rest + v)
};

struct Conv1dFinish {
  Finish what;
  float slope = 0.0F;
  float blocks = 1.0F;
  const float* rest = nullptr;
  std::int64_t rest_stride = 0;
  float* leaky_out = nullptr;
  std::int64_t leaky_stride = 0;
};

// For each output channel o < rows and sample t < count:
// v = bias[o] + Σ taps[o][i][k] · x[i · x_stride + t + k · dilation], over i, then over k;
// written to out[o · out_stride + t] as `finish` says. Its rows begin at the same sample as `out`.
void conv1d(const Conv1d& layer, const float* x, std::int64_t x_stride, std::int64_t count,
            std::int64_t rows, float* out, std::int64_t out_stride, const Conv1dFinish& finish);

#define SDA_DECLARE_CONV1D                                                                    \
  void conv1d(const Conv1d& layer, const float* x, std::int64_t x_stride, std::int64_t count, \
              std::int64_t rows, float* out, std::int64_t out_stride, const Conv1dFinish& finish);
namespace plain {
SDA_DECLARE_CONV1D
}
namespace fma {
SDA_DECLARE_CONV1D
}
namespace avx512 {
SDA_DECLARE_CONV1D
}
#undef SDA_DECLARE_CONV1D

}  // namespace sda::engine::kernels
