#include "libtorch/torch_vocoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/conv1d.h>
#include <ATen/ops/conv_transpose1d.h>
#include <ATen/ops/leaky_relu.h>
#include <c10/core/InferenceMode.h>

#include <numeric>

#include "checkpoint/error.h"
#include "engine/vocoder/hifi_gan.h"
#include "libtorch/tensors.h"
#include "libtorch/threads.h"

namespace sda::libtorch {

at::Tensor TorchVocoder::Layer::operator()(const at::Tensor& x) const {
  if (rate > 0) return at::conv_transpose1d(x, weight, bias, rate, (width - rate) / 2);
  return at::conv1d(x, weight, bias, /*stride=*/1, (width - 1) / 2 * dilation, dilation);
}

TorchVocoder::TorchVocoder(const engine::backend::VocoderData& data, c10::Device device)
    : num_mels_(data.num_mels), device_(device) {
  const c10::InferenceMode guard;
  const std::vector<std::int64_t> block_layers(data.block_layers, data.block_layers + data.blocks);
  const std::int64_t of_stage =
      std::accumulate(block_layers.begin(), block_layers.end(), std::int64_t{1});
  if (data.layer_count != 2 + data.stages * of_stage)
    throw Error(ErrorCode::kNative, "the engine and the backend know different vocoders");
  const engine::backend::VocoderLayerData* next = data.layers;
  const auto take = [&] {
    const engine::backend::VocoderLayerData& from = *next++;
    const auto copy = [&](const float* values, at::IntArrayRef shape) {
      return view_of(values, shape).to(device_, at::kFloat, /*non_blocking=*/false, /*copy=*/true);
    };
    const bool transposed = from.rate > 0;
    return Layer{copy(from.weight, {transposed ? from.inputs : from.outputs,
                                    transposed ? from.outputs : from.inputs, from.width}),
                 copy(from.bias, {from.outputs}), from.width, from.dilation, from.rate};
  };
  ends_.push_back(take());
  for (std::int64_t i = 0; i < data.stages; ++i) {
    Stage& stage = stages_.emplace_back(Stage{take(), {}});
    for (const std::int64_t count : block_layers) {
      Block& block = stage.blocks.emplace_back();
      for (std::int64_t k = 0; k < count; ++k) block.push_back(take());
    }
  }
  ends_.push_back(take());
}

void TorchVocoder::render(const float* mel, std::int64_t frames, float* wave) const {
  const c10::InferenceMode guard;
  prepare_thread();
  const auto leaky = [](const at::Tensor& x) { return at::leaky_relu(x, engine::kVocoderSlope); };
  at::Tensor x = ends_[0](view_of(mel, {1, num_mels_, frames}).to(device_));
  for (const Stage& stage : stages_) {
    x = stage.up(leaky(x));
    at::Tensor sum;
    for (const Block& block : stage.blocks) {
      at::Tensor y = x;
      for (std::size_t i = 0; i < block.size(); i += 2)
        y = block[i + 1](leaky(block[i](leaky(y)))).add_(y);
      sum = sum.defined() ? sum.add_(y) : y;
    }
    x = sum.div_(static_cast<double>(stage.blocks.size()));
  }
  copy_to(wave, ends_[1](at::leaky_relu(x, engine::kVocoderLastSlope)).tanh_().flatten());
}

}  // namespace sda::libtorch
