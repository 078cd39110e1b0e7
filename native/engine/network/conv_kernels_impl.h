// The network's inner loops, compiled once per instruction set. Each file that includes this one
// defines SDA_KERNELS, the namespace of its version. Include nothing here that has other inline
// functions: the linker keeps one copy of each, which might need AVX-512 on every processor.
#include <cstdint>

#include "engine/multiversion.h"
#include "engine/network/conv_kernels.h"

#if defined(__FMA__)
#include <immintrin.h>
#endif

namespace sda::engine::kernels::SDA_KERNELS {
namespace {

constexpr int kWide = 8;

// Eight sums, one per vector lane.
struct Lanes {
#if defined(__FMA__)
  __m256 v = _mm256_setzero_ps();
  SDA_INLINE void add_product(float a, const float* b) {
    v = _mm256_fmadd_ps(_mm256_set1_ps(a), _mm256_loadu_ps(b), v);
  }
  SDA_INLINE void add_product(const float* a, const float* b) {
    v = _mm256_fmadd_ps(_mm256_loadu_ps(a), _mm256_loadu_ps(b), v);
  }
  // max(0, (v + bias) · scale + shift), each step rounded as in torch
  SDA_INLINE void store_rectified(const float* bias, const float* scale, const float* shift,
                                  float* to) const {
    const __m256 y = _mm256_add_ps(
        _mm256_mul_ps(_mm256_add_ps(v, _mm256_loadu_ps(bias)), _mm256_loadu_ps(scale)),
        _mm256_loadu_ps(shift));
    _mm256_storeu_ps(to, _mm256_max_ps(_mm256_setzero_ps(), y));
  }
  SDA_INLINE void store(float* to) const { _mm256_storeu_ps(to, v); }
#else
  float v[kWide] = {};
  SDA_INLINE void add_product(float a, const float* b) {
    for (int i = 0; i < kWide; ++i) v[i] = __builtin_fmaf(a, b[i], v[i]);
  }
  SDA_INLINE void add_product(const float* a, const float* b) {
    for (int i = 0; i < kWide; ++i) v[i] = __builtin_fmaf(a[i], b[i], v[i]);
  }
  SDA_INLINE void store_rectified(const float* bias, const float* scale, const float* shift,
                                  float* to) const {
    for (int i = 0; i < kWide; ++i) {
      const float y = (v[i] + bias[i]) * scale[i] + shift[i];
      to[i] = 0.0F > y ? 0.0F : y;
    }
  }
  SDA_INLINE void store(float* to) const {
    for (int i = 0; i < kWide; ++i) to[i] = v[i];
  }
#endif
};

// As many outputs as a register holds. Which outputs share a register does not change their values.
#if defined(__AVX512F__)
constexpr int kOutputs = 16;

struct Outputs {
  __m512 v = _mm512_setzero_ps();
  SDA_INLINE void add_product(float a, const float* b) {
    v = _mm512_fmadd_ps(_mm512_set1_ps(a), _mm512_loadu_ps(b), v);
  }
  SDA_INLINE void store_rectified(const float* bias, const float* scale, const float* shift,
                                  float* to) const {
    const __m512 y = _mm512_add_ps(
        _mm512_mul_ps(_mm512_add_ps(v, _mm512_loadu_ps(bias)), _mm512_loadu_ps(scale)),
        _mm512_loadu_ps(shift));
    _mm512_storeu_ps(to, _mm512_max_ps(_mm512_setzero_ps(), y));
  }
};
#else
constexpr int kOutputs = kWide;
using Outputs = Lanes;
#endif

SDA_INLINE float total(const float (&v)[kWide]) {
  return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

// An input pixel that an output pixel sums over, and the tap that it is multiplied by.
struct Tap {
  std::int64_t index;        // of the tap in [3, 3]
  std::int64_t down, right;  // offset of the input pixel from (i, j)
};

// Indexed by 2 · odd_row + odd_column: the taps of output pixel (2i + odd_row, 2j + odd_column).
constexpr Tap kTaps[4][4] = {
    {{4, 0, 0}},
    {{5, 0, 0}, {3, 0, 1}},
    {{7, 0, 0}, {1, 1, 0}},
    {{8, 0, 0}, {6, 0, 1}, {2, 1, 0}, {0, 1, 1}},
};
constexpr int kTapCount[4] = {1, 2, 2, 4};

// Adds an input pixel's products to the sums of each of kPixels − kFirst neighbouring output
// pixels. The input pixels are `step` floats apart.
template <int kFirst, int kPixels, int kSets>
SDA_INLINE void add_tap(Outputs (&sums)[kPixels][kSets], const float* from, std::int64_t step,
                        const float* weights, std::int64_t inputs, std::int64_t outputs) {
  for (std::int64_t in = 0; in < inputs; ++in, weights += outputs)
    for (int p = kFirst; p < kPixels; ++p)
      for (int s = 0; s < kSets; ++s)
        sums[p][s].add_product(from[p * step + in], weights + s * kOutputs);
}

// Computes kSets · kOutputs outputs of kPixels neighbouring pixels of a convolution.
template <int kPixels, int kSets>
SDA_INLINE void conv_tile(const Conv& layer, const float* x, std::int64_t row, std::int64_t column,
                          std::int64_t height, std::int64_t width, std::int64_t output, float* y) {
  Outputs sums[kPixels][kSets];
  for (std::int64_t down = 0; down < 3; ++down) {
    const std::int64_t line = 2 * row + down - 1;
    if (line < 0 || line >= height) continue;
    for (std::int64_t right = 0; right < 3; ++right) {
      const std::int64_t first = 2 * column + right - 1;
      const float* const from = x + (line * width + first) * layer.inputs;
      const float* const weights =
          layer.taps + (3 * down + right) * layer.inputs * layer.outputs + output;
      // Only the first pixel of a row can have its neighbour before the edge.
      if (first < 0)
        add_tap<1>(sums, from, 2 * layer.inputs, weights, layer.inputs, layer.outputs);
      else
        add_tap<0>(sums, from, 2 * layer.inputs, weights, layer.inputs, layer.outputs);
    }
  }
  for (int p = 0; p < kPixels; ++p) {
    float* const to = y + (row * (width / 2) + column + p) * layer.outputs + output;
    for (int s = 0; s < kSets; ++s) {
      const std::int64_t at = output + s * kOutputs;
      sums[p][s].store_rectified(layer.bias + at, layer.scale + at, layer.shift + at,
                                 to + s * kOutputs);
    }
  }
}

// The same for a transposed convolution.
template <int kPixels, int kSets>
SDA_INLINE void transposed_tile(const Conv& layer, const float* x, std::int64_t row,
                                std::int64_t column, std::int64_t height, std::int64_t width,
                                int phase, std::int64_t output, float* y) {
  Outputs sums[kPixels][kSets];
  for (int t = 0; t < kTapCount[phase]; ++t) {
    const Tap tap = kTaps[phase][t];
    if (row + tap.down >= height) continue;
    const float* const from = x + ((row + tap.down) * width + column + tap.right) * layer.inputs;
    const float* weights = layer.taps + tap.index * layer.inputs * layer.outputs + output;
    // Only the last pixel of a row can have its neighbour past the edge.
    if (column + tap.right + kPixels <= width) {
      for (std::int64_t in = 0; in < layer.inputs; ++in, weights += layer.outputs)
        for (int p = 0; p < kPixels; ++p)
          for (int s = 0; s < kSets; ++s)
            sums[p][s].add_product(from[p * layer.inputs + in], weights + s * kOutputs);
    } else {
      for (std::int64_t in = 0; in < layer.inputs; ++in, weights += layer.outputs)
        for (int p = 0; p + 1 < kPixels; ++p)
          for (int s = 0; s < kSets; ++s)
            sums[p][s].add_product(from[p * layer.inputs + in], weights + s * kOutputs);
    }
  }
  const std::int64_t out_row = 2 * row + phase / 2;
  for (int p = 0; p < kPixels; ++p) {
    float* const to =
        y + (out_row * 2 * width + 2 * (column + p) + phase % 2) * layer.outputs + output;
    for (int s = 0; s < kSets; ++s) {
      const std::int64_t at = output + s * kOutputs;
      sums[p][s].store_rectified(layer.bias + at, layer.scale + at, layer.shift + at,
                                 to + s * kOutputs);
    }
  }
}

}  // namespace

float dot(const float* a, const float* b, std::int64_t count) {
  Lanes sums;
  std::int64_t i = 0;
  for (; i + kWide <= count; i += kWide) sums.add_product(a + i, b + i);
  float lanes[kWide];
  sums.store(lanes);
  for (int lane = 0; i < count; ++i, ++lane) lanes[lane] = __builtin_fmaf(a[i], b[i], lanes[lane]);
  return total(lanes);
}

void conv_row(const Conv& layer, const float* x, std::int64_t row, std::int64_t height,
              std::int64_t width, float* y) {
  for (std::int64_t output = 0; output < layer.outputs; output += 2 * kOutputs) {
    std::int64_t column = 0;
    for (; column + 6 <= width / 2; column += 6)
      conv_tile<6, 2>(layer, x, row, column, height, width, output, y);
    for (; column + 2 <= width / 2; column += 2)
      conv_tile<2, 2>(layer, x, row, column, height, width, output, y);
    for (; column < width / 2; ++column)
      conv_tile<1, 2>(layer, x, row, column, height, width, output, y);
  }
}

void transposed_conv_row(const Conv& layer, const float* x, std::int64_t row, std::int64_t height,
                         std::int64_t width, float* y) {
  for (int phase = 0; phase < 4; ++phase)
    for (std::int64_t output = 0; output < layer.outputs; output += 2 * kOutputs) {
      std::int64_t column = 0;
      for (; column + 6 <= width; column += 6)
        transposed_tile<6, 2>(layer, x, row, column, height, width, phase, output, y);
      for (; column + 2 <= width; column += 2)
        transposed_tile<2, 2>(layer, x, row, column, height, width, phase, output, y);
      for (; column < width; ++column)
        transposed_tile<1, 2>(layer, x, row, column, height, width, phase, output, y);
    }
}

void transposed_conv_row_of_one(const float* taps, std::int64_t inputs, const float* x,
                                std::int64_t row, std::int64_t height, std::int64_t width,
                                float* out) {
  for (std::int64_t column = 0; column < width; ++column)
    for (int phase = 0; phase < 4; ++phase) {
      Lanes sums;
      for (int t = 0; t < kTapCount[phase]; ++t) {
        const Tap tap = kTaps[phase][t];
        if (row + tap.down >= height || column + tap.right >= width) continue;
        const float* const from = x + ((row + tap.down) * width + column + tap.right) * inputs;
        for (std::int64_t in = 0; in < inputs; in += kWide)
          sums.add_product(from + in, taps + tap.index * inputs + in);
      }
      float lanes[kWide];
      sums.store(lanes);
      out[phase / 2 * 2 * width + 2 * column + phase % 2] = total(lanes);
    }
}

}  // namespace sda::engine::kernels::SDA_KERNELS
