// Networks and spectrums on other devices: the engine's side of backend_interface.h.
#pragma once

#include <memory>
#include <string>

#include "engine/backend_interface.h"
#include "engine/engine.h"
#include "engine/network/vae_weights.h"
#include "engine/vocoder/hifi_gan.h"

namespace sda::engine {

// Log-mel spectrograms → waves, on a device. Immutable: any number of threads may use one at once.
class DeviceResynthesis {
 public:
  DeviceResynthesis(const backend::Interface& library, const SpectrogramConfig& config,
                    int iterations, const std::string& device);
  // As SpectrogramImpl::rebuild.
  FloatTensor rebuild(const FloatTensor& mel, const FloatTensor& phases,
                      const CancelToken& cancel) const;

 private:
  const backend::Interface& library_;
  std::shared_ptr<const backend::Resynthesis> handle_;
  std::int64_t hop_length_;
};

// Throws kDevice with the reason when the device is not available.
std::string resolve_on(const backend::Interface& library, const std::string& device);

std::shared_ptr<const Model> create_model_on(const backend::Interface& library,
                                             const VaeShape& shape, const SpectrogramConfig& config,
                                             VaeWeights weights, const std::string& device);

std::shared_ptr<const LocalSynthesis> create_vocoder_on(const backend::Interface& library,
                                                        const VocoderConfig& config,
                                                        const VocoderWeights& weights,
                                                        const std::string& device);

}  // namespace sda::engine
