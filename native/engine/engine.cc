// Implements engine.h with the parts in the folders below.
#include "engine/engine.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include "checkpoint/error.h"
#include "engine/codes/vq_vae.h"
#include "engine/config.h"
#include "engine/device_backend.h"
#include "engine/float_tensor.h"
#include "engine/network/conv_vae.h"
#include "engine/spectrum/spectral_tables.h"
#include "engine/spectrum/spectrogram.h"
#include "engine/threads/parallel.h"
#include "engine/vocoder/complex_synthesis.h"
#include "engine/vocoder/hifi_gan.h"

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

std::shared_ptr<const Model> Model::create(const StateDict& state, Network network,
                                           std::int64_t latent_dim, const SpectrogramConfig& config,
                                           const Placement& placement) {
  check_config(config);
  check_latent_dim(latent_dim);
  const VaeShape shape(network, latent_dim, config);
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

std::shared_ptr<const LocalSynthesis> make_vocoder(const StateDict& weights,
                                                   const VocoderConfig& config,
                                                   const Placement& placement) {
  check_vocoder_config(config);
  const VocoderWeights layers = collect_vocoder(weights, config);
  if (!placement.on_backend) return std::make_shared<HifiGan>(config, layers);
  return create_vocoder_on(*attached.load(), config, layers, placement.device);
}

void check_vocoder_fits(const LocalSynthesis& vocoder, const SpectrogramConfig& config) {
  const auto refuse = [](const std::string& what, std::int64_t its, std::int64_t needed) {
    bad_argument("vocoder", "the vocoder takes mels of " + what + " " + std::to_string(its) +
                                ", the model makes them with " + std::to_string(needed));
  };
  if (vocoder.rows() != config.n_mels) refuse("n_mels", vocoder.rows(), config.n_mels);
  if (vocoder.hop_length() != config.hop_length)
    refuse("hop_length", vocoder.hop_length(), config.hop_length);
  if (vocoder.sample_rate() != config.sample_rate)
    refuse("sample_rate", vocoder.sample_rate(), config.sample_rate);
}

FloatTensor analyse_complex(const LocalSynthesis& synthesis, const FloatTensor& waveform,
                            const CancelToken& cancel) {
  const auto& method = static_cast<const ComplexSynthesis&>(synthesis);
  check_shape(waveform, {-1, 1, -1}, "waveform");
  const std::int64_t items = waveform.shape[0], samples = waveform.shape[2];
  const std::int64_t frames = method.check_samples(items, samples);
  FloatTensor mel = make_tensor({items, 2, method.rows() / 2, frames});
  parallel_for(items, [&](std::int64_t item) {
    cancel.throw_if_cancelled();
    method.analyse(waveform.data.get() + item * samples, samples, slice(mel, item, 1).data.get());
  });
  return mel;
}

std::int64_t byte_size_of(const LocalSynthesis& synthesis) { return synthesis.byte_size(); }

std::shared_ptr<const LocalSynthesis> make_complex_synthesis(
    const SpectrogramConfig& config, const std::optional<ComplexStats>& stats) {
  check_config(config);
  return std::make_shared<ComplexSynthesis>(config, stats);
}

std::shared_ptr<const CodeModel> CodeModel::create(const StateDict& weights,
                                                   const CodebookConfig& codebook,
                                                   const PriorSource* prior,
                                                   const SpectrogramConfig& config) {
  check_config(config);
  check_codebook_config(codebook);
  // A VQ-VAE has the layers of the softplus network.
  const VaeShape shape(Network::kSoftplus, 1, config);
  std::optional<Prior> made;
  if (prior != nullptr) {
    check_prior_config(prior->config);
    const std::int64_t length = shape.small_height * shape.small_width * codebook.num_quantizers;
    if (prior->config.seq_len != length || prior->config.num_quantizers != codebook.num_quantizers)
      throw Error(ErrorCode::kSchema, "prior_config.seq_len must be " + std::to_string(length) +
                                          " for this spectrogram and codebook, found " +
                                          std::to_string(prior->config.seq_len))
          .with("field", std::string("prior_config.seq_len"));
    made.emplace(prior->weights, prior->config, codebook.codebook_size);
  }
  return std::make_shared<VqVae>(shape, codebook, collect_vq(weights, shape, codebook),
                                 std::move(made));
}

std::shared_ptr<const Spectrogram> Spectrogram::create(const SpectrogramConfig& config,
                                                       int iterations, const Placement& placement) {
  check_config(config);
  std::optional<DeviceResynthesis> elsewhere;
  if (placement.on_backend)
    elsewhere.emplace(*attached.load(), config, iterations, placement.device);
  return std::make_shared<SpectrogramImpl>(config, iterations, SpectralTables::of(config),
                                           std::move(elsewhere));
}

}  // namespace sda::engine
