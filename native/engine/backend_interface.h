// The interface between the engine and a backend that computes on other devices, which lives in
// another addon. The two addons may have different C++ runtimes. So only plain data and functions
// cross this interface: no exception, no class of the standard library, and neither side frees the
// other's memory.
#pragma once

#include <atomic>
#include <cstdint>

#include "engine/network/vae_weights.h"

namespace sda::engine::backend {

// Both addons must have the same. Raised with every change of this file and of the order of
// for_each_parameter().
inline constexpr std::uint32_t kInterfaceVersion = 3;

inline constexpr int kDeviceNameBytes = 32;
inline constexpr int kMessageBytes = 1024;

enum class Outcome : std::int32_t { kDone, kCancelled, kFailed };

// How a call ended. Texts end with a zero.
struct Status {
  Outcome outcome = Outcome::kDone;
  // Of a failure:
  std::int32_t code = 0;               // an ErrorCode
  char message[kMessageBytes] = {};    // UTF-8
  char device[kDeviceNameBytes] = {};  // the device that the failure is about, or empty
};

// True as soon as the work is to be cancelled.
using CancelFlag = std::atomic<bool>;
static_assert(sizeof(CancelFlag) == 1 && CancelFlag::is_always_lock_free);

// As SpectrogramConfig, with f_max in any case.
struct Spectrum {
  std::int64_t sample_rate, n_fft, hop_length, n_mels;
  double f_min, f_max, power;
};

struct NetworkData {
  std::int32_t network;  // an engine::Network
  std::int64_t latent_dim;
  Spectrum spectrum;
  // In the order of for_each_parameter(). On the CPU they must live as long as the network; other
  // devices get a copy.
  const Parameter* parameters;
  std::int64_t parameter_count;
};

// A convolution over samples, or where `rate` is not 0, a transposed one that makes `rate` samples
// of each.
struct VocoderLayerData {
  const float* weight;  // [outputs, inputs, width], or [inputs, outputs, width]; norms folded
  const float* bias;    // [outputs]
  std::int64_t inputs, outputs, width, dilation, rate;
};

// HiFi-GAN's generator. The backend copies it.
struct VocoderData {
  std::int64_t num_mels, hop_length, stages;
  // Layers of each residual block of a stage: pairs of convolutions.
  const std::int64_t* block_layers;
  std::int64_t blocks;  // of a stage
  // The first layer; of each stage the transposed one and its blocks' layers; the last one
  const VocoderLayerData* layers;
  std::int64_t layer_count;
};

struct Network;      // of the backend; immutable
struct Resynthesis;  // of the backend; immutable
struct Vocoder;      // of the backend; immutable

// All functions may be called from any thread, and any number of threads may use one object at
// once. All tensors are row-major float32 in the memory of the calling process.
struct Interface {
  std::uint32_t version;  // kInterfaceVersion; stays the first member

  // "auto", "cpu", "cuda", "cuda:N" or "mps" → the device's full name, such as "cuda:0". Fails with
  // kDevice and the reason when the device is not available.
  void (*resolve)(const char* device, char (*found)[kDeviceNameBytes], Status* status);

  // Null when it fails. `device` is a full name.
  Network* (*create_network)(const NetworkData* data, const char* device, Status* status);
  void (*destroy_network)(Network* network);
  // z: [items, latent_dim] → mel: [items, channels, n_mels, frames]
  void (*decode)(const Network* network, const float* z, std::int64_t items, float* mel,
                 const CancelFlag* cancelled, Status* status);
  // mel: [items, channels, n_mels, frames] → mu and logvar, each [items, latent_dim]. Only for a
  // network with all of the encoder's parameters.
  void (*encode)(const Network* network, const float* mel, std::int64_t items, float* mu,
                 float* logvar, const CancelFlag* cancelled, Status* status);

  // `iterations` of Griffin-Lim. Null when it fails. `device` is a full name.
  Resynthesis* (*create_resynthesis)(const Spectrum* spectrum, std::int32_t iterations,
                                     const char* device, Status* status);
  void (*destroy_resynthesis)(Resynthesis* resynthesis);
  // mel: [items, 1, n_mels, frames]; phases: [items, bins, frames, 2], complex numbers of any
  // magnitude → wave: [items, (frames − 1) · hop_length]
  void (*rebuild)(const Resynthesis* resynthesis, const float* mel, const float* phases,
                  std::int64_t items, std::int64_t frames, float* wave, const CancelFlag* cancelled,
                  Status* status);

  // Null when it fails. `device` is a full name.
  Vocoder* (*create_vocoder)(const VocoderData* data, const char* device, Status* status);
  void (*destroy_vocoder)(Vocoder* vocoder);
  // mel: [num_mels, frames], not logarithmic → wave: [frames · hop_length]
  void (*render)(const Vocoder* vocoder, const float* mel, std::int64_t frames, float* wave,
                 Status* status);
};

}  // namespace sda::engine::backend
