// What the engine asks of a library that computes on other devices: LibTorch, in native/libtorch.
#pragma once

#include <memory>
#include <string>

#include "engine/engine.h"
#include "engine/network/vae_weights.h"
#include "engine/spectrum/spectral_tables.h"

namespace sda::engine {

// Log-mel spectrograms → waves, on a device. Immutable: any number of threads may use one at once.
class Resynthesis {
 public:
  virtual ~Resynthesis() = default;
  // As SpectrogramImpl::rebuild.
  virtual FloatTensor rebuild(const FloatTensor& mel, const FloatTensor& phases,
                              const CancelToken& cancel) const = 0;
};

// From any thread.
class DeviceBackend {
 public:
  virtual ~DeviceBackend() = default;
  virtual std::string version() const = 0;
  virtual int cuda_devices() const = 0;
  // "auto", "cpu", "cuda", "cuda:N" or "mps" → the device's full name, such as "cuda:0". Throws
  // kDevice with the reason when the device is not available.
  virtual std::string resolve(const std::string& device) const = 0;
  virtual std::shared_ptr<const Model> create_model(const VaeShape& shape, VaeWeights weights,
                                                    const std::string& device) const = 0;
  virtual std::shared_ptr<const Resynthesis> create_resynthesis(
      std::shared_ptr<const SpectralTables> tables, double power,
      const std::string& device) const = 0;
};

// The process's backend; null until one is set. Set once, and never destroyed.
const DeviceBackend* device_backend();
void set_device_backend(const DeviceBackend* backend);

}  // namespace sda::engine
