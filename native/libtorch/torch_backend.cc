#include "libtorch/torch_backend.h"

#include <ATen/Version.h>
#include <torch/headeronly/version.h>

#include <algorithm>
#include <memory>
#include <new>
#include <string_view>
#include <utility>
#include <variant>

#include "checkpoint/error.h"
#include "engine/spectrum/spectral_tables.h"
#include "libtorch/device.h"
#include "libtorch/torch_resynthesis.h"
#include "libtorch/torch_vae.h"
#include "libtorch/torch_vocoder.h"

namespace sda::engine::backend {

struct Network {
  libtorch::TorchVae vae;
};
struct Resynthesis {
  libtorch::TorchResynthesis resynthesis;
};
struct Vocoder {
  libtorch::TorchVocoder vocoder;
};

}  // namespace sda::engine::backend

namespace sda::libtorch {
namespace {

using engine::SpectrogramConfig;
using engine::backend::CancelFlag;
using engine::backend::Interface;
using engine::backend::kDeviceNameBytes;
using engine::backend::Network;
using engine::backend::NetworkData;
using engine::backend::Outcome;
using engine::backend::Resynthesis;
using engine::backend::Spectrum;
using engine::backend::Status;
using engine::backend::Vocoder;
using engine::backend::VocoderData;

// Copies as much as fits. A text that is cut ends between two characters of UTF-8.
template <std::size_t N>
void write_text(char (&target)[N], std::string_view text) {
  std::size_t length = std::min(text.size(), N - 1);
  if (length < text.size())
    while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;
  std::copy_n(text.data(), length, target);
  target[length] = '\0';
}

void write_failure(Status& status, ErrorCode code, std::string_view message) {
  status.outcome = Outcome::kFailed;
  status.code = static_cast<std::int32_t>(code);
  write_text(status.message, message);
}

// Runs the work and describes in `status` how it ended.
template <typename Work>
void run(Status* status, const Work& work) noexcept {
  *status = {};
  try {
    work();
  } catch (const Cancelled&) {
    status->outcome = Outcome::kCancelled;
  } catch (const Error& error) {
    write_failure(*status, error.code(), error.message());
    for (const auto& [key, value] : error.details()) {
      const auto* const text = std::get_if<std::string>(&value);
      if (key == "device" && text != nullptr) write_text(status->device, *text);
    }
  } catch (const std::bad_alloc&) {
    write_failure(*status, ErrorCode::kLimit, "not enough memory");
  } catch (const std::exception& error) {
    write_failure(*status, ErrorCode::kNative, reason_of(error));
  } catch (...) {
    write_failure(*status, ErrorCode::kNative, "an unknown failure of LibTorch");
  }
}

SpectrogramConfig config_of(const Spectrum& spectrum) {
  SpectrogramConfig config;
  config.sample_rate = spectrum.sample_rate;
  config.n_fft = spectrum.n_fft;
  config.hop_length = spectrum.hop_length;
  config.n_mels = spectrum.n_mels;
  config.f_min = spectrum.f_min;
  config.f_max = spectrum.f_max;
  config.power = spectrum.power;
  return config;
}

void resolve(const char* device, char (*found)[kDeviceNameBytes], Status* status) {
  run(status, [&] { write_text(*found, choose_device(device).str()); });
}

Network* create_network(const NetworkData* data, const char* device, Status* status) {
  std::unique_ptr<Network> made;
  run(status, [&] {
    const auto network = static_cast<engine::Network>(data->network);
    const engine::VaeShape shape(network, data->latent_dim, config_of(data->spectrum));
    engine::VaeWeights weights(shape.layers);
    std::int64_t next = 0;
    engine::for_each_parameter(weights, [&](engine::Parameter& parameter) {
      if (next < data->parameter_count) parameter = data->parameters[next];
      ++next;
    });
    if (next != data->parameter_count)
      throw Error(ErrorCode::kNative, "the engine and the backend know different networks");
    made.reset(new Network{{shape, std::move(weights), choose_device(device)}});
  });
  return made.release();
}

void destroy_network(Network* network) { delete network; }

void decode(const Network* network, const float* z, std::int64_t items, float* mel,
            const CancelFlag* cancelled, Status* status) {
  run(status, [&] { network->vae.decode(z, items, mel, CancelToken(*cancelled)); });
}

void encode(const Network* network, const float* mel, std::int64_t items, float* mu, float* logvar,
            const CancelFlag* cancelled, Status* status) {
  run(status, [&] { network->vae.encode(mel, items, mu, logvar, CancelToken(*cancelled)); });
}

Resynthesis* create_resynthesis(const Spectrum* spectrum, std::int32_t iterations,
                                const char* device, Status* status) {
  std::unique_ptr<Resynthesis> made;
  run(status, [&] {
    made.reset(new Resynthesis{{engine::SpectralTables::of(config_of(*spectrum)), spectrum->n_mels,
                                spectrum->power, iterations, choose_device(device)}});
  });
  return made.release();
}

void destroy_resynthesis(Resynthesis* resynthesis) { delete resynthesis; }

void rebuild(const Resynthesis* resynthesis, const float* mel, const float* phases,
             std::int64_t items, std::int64_t frames, float* wave, const CancelFlag* cancelled,
             Status* status) {
  run(status, [&] {
    resynthesis->resynthesis.rebuild(mel, phases, items, frames, wave, CancelToken(*cancelled));
  });
}

Vocoder* create_vocoder(const VocoderData* data, const char* device, Status* status) {
  std::unique_ptr<Vocoder> made;
  run(status, [&] { made.reset(new Vocoder{{*data, choose_device(device)}}); });
  return made.release();
}

void destroy_vocoder(Vocoder* vocoder) { delete vocoder; }

void render(const Vocoder* vocoder, const float* mel, std::int64_t frames, float* wave,
            Status* status) {
  run(status, [&] { vocoder->vocoder.render(mel, frames, wave); });
}

}  // namespace

const Interface& torch_backend() {
  static constexpr Interface kInterface = {
      engine::backend::kInterfaceVersion,
      resolve,
      create_network,
      destroy_network,
      decode,
      encode,
      create_resynthesis,
      destroy_resynthesis,
      rebuild,
      create_vocoder,
      destroy_vocoder,
      render,
  };
  return kInterface;
}

std::string reason_of(const std::exception& error) {
  const std::string what = error.what();
  return what.substr(0, what.find('\n'));
}

std::string loaded_version() {
  // "…, TORCH_VERSION=2.13.0, …"
  const std::string settings = at::show_config();
  const std::string key = "TORCH_VERSION=";
  const std::size_t at = settings.find(key);
  if (at == std::string::npos) return TORCH_VERSION;
  const std::size_t begin = at + key.size();
  return settings.substr(begin, settings.find_first_of(", \n", begin) - begin);
}

}  // namespace sda::libtorch
