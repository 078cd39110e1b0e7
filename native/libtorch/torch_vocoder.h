// HiFi-GAN's generator by ATen's operators, on any device.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <vector>

#include "engine/backend_interface.h"

namespace sda::libtorch {

class TorchVocoder {
 public:
  // Copies the weights. Throws kNative where the layers are not as VocoderData says.
  TorchVocoder(const engine::backend::VocoderData& data, c10::Device device);

  // See backend_interface.h.
  void render(const float* mel, std::int64_t frames, float* wave) const;

 private:
  struct Layer {
    at::Tensor weight, bias;
    std::int64_t width, dilation, rate;
    at::Tensor operator()(const at::Tensor& x) const;
  };
  using Block = std::vector<Layer>;  // convs1[0], convs2[0], convs1[1], …
  struct Stage {
    Layer up;
    std::vector<Block> blocks;
  };

  std::int64_t num_mels_;
  c10::Device device_;
  std::vector<Layer> ends_;  // the first and the last
  std::vector<Stage> stages_;
};

}  // namespace sda::libtorch
