// Implements engine.h with the parts in the folders below.
#include "engine/engine.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include "checkpoint/error.h"
#include "engine/config.h"
#include "engine/device_backend.h"
#include "engine/network/conv_vae.h"
#include "engine/spectrum/spectral_tables.h"
#include "engine/spectrum/spectrogram.h"

namespace sda::engine {
namespace {

std::atomic<const backend::Interface*> attached{nullptr};

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

void attach_backend(const backend::Interface& library) {
  if (library.version != backend::kInterfaceVersion)
    throw Error(ErrorCode::kNative, "the backend has interface " + std::to_string(library.version) +
                                        ", but the engine has " +
                                        std::to_string(backend::kInterfaceVersion));
  const backend::Interface* none = nullptr;
  attached.compare_exchange_strong(none, &library);
}

Placement place(const std::string& device, BackendChoice choice) {
  check_device_name(device);
  const backend::Interface* const library = attached.load();
  if (choice == BackendChoice::kAuto && (device == "cpu" || (device == "auto" && !library)))
    return {};
  if (library == nullptr)
    throw Error(ErrorCode::kDevice, device + " is not available: it needs LibTorch")
        .with("device", device);
  const std::string found = resolve_on(*library, device);
  return {found, choice == BackendChoice::kAttached || found != "cpu"};
}

std::shared_ptr<const Model> Model::create(const StateDict& state, std::int64_t latent_dim,
                                           const SpectrogramConfig& config,
                                           const Placement& placement) {
  check_config(config);
  check_latent_dim(latent_dim);
  const VaeShape shape(latent_dim, config);
  VaeWeights weights = collect_weights(state, shape);
  if (!placement.on_backend) return std::make_shared<ConvVae>(shape, std::move(weights));
  return create_model_on(*attached.load(), shape, config, std::move(weights), placement.device);
}

bool Model::is_instant(const StateDict& weights, const SpectrogramConfig& config,
                       const Placement& placement) {
  return !placement.on_backend && SpectralTables::known(config) &&
         std::all_of(weights.begin(), weights.end(), [](const NamedTensor& tensor) {
           return tensor.dtype == DType::kFloat32 || tensor.shape.empty();
         });
}

std::shared_ptr<const Spectrogram> Spectrogram::create(const SpectrogramConfig& config,
                                                       const Placement& placement) {
  check_config(config);
  std::optional<DeviceResynthesis> elsewhere;
  if (placement.on_backend) elsewhere.emplace(*attached.load(), config, placement.device);
  return std::make_shared<SpectrogramImpl>(config, SpectralTables::of(config),
                                           std::move(elsewhere));
}

}  // namespace sda::engine
