// Implements engine.h with the parts in the folders below.
#include "engine/engine.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "checkpoint/error.h"
#include "engine/config.h"
#include "engine/device_backend.h"
#include "engine/network/conv_vae.h"
#include "engine/spectrum/spectral_tables.h"
#include "engine/spectrum/spectrogram.h"
#include "engine/threads/scheduler.h"

namespace sda::engine {
namespace {

std::atomic<const DeviceBackend*> backend{nullptr};

bool is_digits(std::string_view text) {
  return !text.empty() && text.size() <= 2 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Throws kArgument for a text that names no device.
void check_device_name(const std::string& device) {
  for (const char* name : {"auto", "cpu", "cuda", "mps"})
    if (device == name) return;
  const std::string_view prefix = "cuda:";
  if (device.starts_with(prefix) && is_digits(std::string_view(device).substr(prefix.size())))
    return;
  throw Error(ErrorCode::kArgument,
              "device must be auto, cpu, cuda, cuda:N or mps, found \"" + device + "\"")
      .with("option", "device");
}

}  // namespace

const DeviceBackend* device_backend() { return backend.load(); }
void set_device_backend(const DeviceBackend* library) { backend.store(library); }

EngineInfo info() {
  const DeviceBackend* const library = device_backend();
  const int devices = library == nullptr ? 0 : library->cuda_devices();
  return {library == nullptr ? "" : library->version(), devices > 0, devices,
          static_cast<int>(Scheduler::shared().settings().threads)};
}

std::string resolve_device(const std::string& requested) {
  check_device_name(requested);
  if (requested == "cpu") return requested;
  if (const DeviceBackend* const library = device_backend()) return library->resolve(requested);
  if (requested == "auto") return "cpu";
  throw Error(ErrorCode::kDevice, requested + " is not available: it needs LibTorch")
      .with("device", requested);
}

std::shared_ptr<const Model> Model::create(const StateDict& state, std::int64_t latent_dim,
                                           const SpectrogramConfig& config,
                                           const std::string& device) {
  check_config(config);
  check_latent_dim(latent_dim);
  const std::string found = resolve_device(device);
  const VaeShape shape(latent_dim, config);
  VaeWeights weights = collect_weights(state, shape);
  if (found == "cpu") return std::make_shared<ConvVae>(shape, std::move(weights));
  return device_backend()->create_model(shape, std::move(weights), found);
}

bool Model::is_instant(const StateDict& weights, const SpectrogramConfig& config,
                       const std::string& device) {
  return SpectralTables::known(config) && resolve_device(device) == "cpu" &&
         std::all_of(weights.begin(), weights.end(), [](const NamedTensor& tensor) {
           return tensor.dtype == DType::kFloat32 || tensor.shape.empty();
         });
}

std::shared_ptr<const Spectrogram> Spectrogram::create(const SpectrogramConfig& config,
                                                       const std::string& device) {
  check_config(config);
  const std::string found = resolve_device(device);
  auto tables = SpectralTables::of(config);
  auto elsewhere =
      found == "cpu" ? nullptr : device_backend()->create_resynthesis(tables, config.power, found);
  return std::make_shared<SpectrogramImpl>(config, std::move(tables), std::move(elsewhere));
}

}  // namespace sda::engine
