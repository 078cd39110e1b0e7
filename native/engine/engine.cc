// Implements engine.h with the parts in the folders below.
#include "engine/engine.h"

#include <ATen/Version.h>
#include <torch/headeronly/version.h>

#include <algorithm>

#include "engine/config.h"
#include "engine/device.h"
#include "engine/network/conv_vae.h"
#include "engine/spectrum/spectral_tables.h"
#include "engine/spectrum/spectrogram.h"
#include "engine/threads/scheduler.h"

namespace sda::engine {
namespace {

// The version of the loaded library, which may differ from the version of the headers. Its build
// settings contain "…, TORCH_VERSION=2.13.0, …".
std::string libtorch_version() {
  const std::string settings = at::show_config();
  const std::string key = "TORCH_VERSION=";
  const std::size_t at = settings.find(key);
  if (at == std::string::npos) return TORCH_VERSION;
  const std::size_t begin = at + key.size();
  return settings.substr(begin, settings.find_first_of(", \n", begin) - begin);
}

}  // namespace

EngineInfo info() {
  const CudaState& cuda = cuda_state();
  return {libtorch_version(), cuda.devices > 0, cuda.devices,
          static_cast<int>(Scheduler::shared().settings().threads)};
}

std::string resolve_device(const std::string& requested) { return choose_device(requested).str(); }

std::shared_ptr<const Model> Model::create(const StateDict& weights, std::int64_t latent_dim,
                                           const SpectrogramConfig& config,
                                           const std::string& device) {
  check_config(config);
  check_latent_dim(latent_dim);
  return std::make_shared<ConvVae>(weights, latent_dim, config, choose_device(device));
}

bool Model::is_instant(const StateDict& weights, const SpectrogramConfig& config,
                       const std::string& device) {
  return SpectralTables::known(config) && choose_device(device).is_cpu() &&
         std::all_of(weights.begin(), weights.end(), [](const NamedTensor& tensor) {
           return tensor.dtype == DType::kFloat32 || tensor.shape.empty();
         });
}

std::shared_ptr<const Spectrogram> Spectrogram::create(const SpectrogramConfig& config,
                                                       const std::string& device) {
  check_config(config);
  return std::make_shared<SpectrogramImpl>(config, choose_device(device));
}

}  // namespace sda::engine
