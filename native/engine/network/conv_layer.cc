#include "engine/network/conv_layer.h"

#include <cmath>
#include <memory>

#include "checkpoint/memory_size.h"

namespace sda::engine {
namespace {

constexpr float kBatchNormEpsilon = 1e-5F;  // BatchNorm2d's default

struct Buffer {
  std::unique_ptr<float[]> data;
  std::int64_t size = 0;
};

}  // namespace

ConvLayer make_conv_layer(const Affine& affine, const BatchNorm* norm, bool transposed) {
  ConvLayer layer;
  layer.outputs = affine.bias.numel;
  layer.inputs = affine.weight.numel / 9 / layer.outputs;
  layer.taps.resize(static_cast<std::size_t>(affine.weight.numel));
  for (std::int64_t in = 0; in < layer.inputs; ++in)
    for (std::int64_t out = 0; out < layer.outputs; ++out) {
      const std::int64_t pair = transposed ? in * layer.outputs + out : out * layer.inputs + in;
      for (std::int64_t tap = 0; tap < 9; ++tap)
        layer.taps[static_cast<std::size_t>((tap * layer.inputs + in) * layer.outputs + out)] =
            affine.weight.data[9 * pair + tap];
    }
  for (std::int64_t out = 0; out < layer.outputs; ++out) {
    layer.bias.push_back(affine.bias.data[out]);
    if (norm == nullptr) continue;
    // Computed in float32, as torch's batch normalisation does.
    const float scale = norm->weight.data[out] *
                        (1.0F / std::sqrt(norm->running_var.data[out] + kBatchNormEpsilon));
    layer.scale.push_back(scale);
    layer.shift.push_back(norm->bias.data[out] - norm->running_mean.data[out] * scale);
  }
  return layer;
}

float* activations(std::size_t which, std::int64_t floats) {
  static thread_local Buffer buffers[2];
  Buffer& buffer = buffers[which];
  if (floats > buffer.size) {
    buffer.data.reset();
    buffer.data.reset(new float[memory_size(floats)]);
    buffer.size = floats;
  }
  return buffer.data.get();
}

}  // namespace sda::engine
