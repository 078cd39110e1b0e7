// The sound engine's public interface. Using it needs no LibTorch header.
// Model and Spectrogram are immutable after creation: any number of threads may use one at once.
// create(), encode(), decode(), waveform_to_mel() and mel_to_waveform() work on the calling thread.
// On an engine thread (threads/scheduler.h), other engine threads help with their loops.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/cancel.h"
#include "checkpoint/state_dict.h"

namespace sda::engine {

struct SpectrogramConfig {
  std::int64_t sample_rate = 48000;  // Hz
  std::int64_t n_fft = 2048;
  std::int64_t hop_length = 512;
  std::int64_t n_mels = 128;
  double f_min = 0.0;           // Hz
  std::optional<double> f_max;  // Hz; none: sample_rate / 2
  double power = 2.0;

  bool operator==(const SpectrogramConfig&) const = default;
};

// Row-major float32. `data` owns the memory.
struct FloatTensor {
  std::vector<std::int64_t> shape;
  std::shared_ptr<float[]> data;
  std::int64_t numel() const noexcept;
};

namespace backend {
struct Interface;
}
// Lets models compute on other devices; see backend_interface.h. The first one stays for the rest
// of the process. Throws kNative when its interface has another version.
void attach_backend(const backend::Interface& library);

enum class BackendChoice {
  kAuto,      // the engine itself on the CPU, the attached backend on other devices
  kAttached,  // the attached backend on every device
};

// Where a model computes.
struct Placement {
  std::string device = "cpu";  // "cpu", "cuda:0"
  bool on_backend = false;     // by the attached backend
};

// Takes "auto", "cpu", "cuda", "cuda:1" or "mps". Throws kDevice with the reason when the device is
// not available, and kArgument for any other text.
Placement place(const std::string& device, BackendChoice choice);

class Model {
 public:
  // Checks every name and shape (kSchema, detail "tensor"). Converts other float types to float32.
  // On the CPU, float32 weights are not copied: the model shares ownership of their memory.
  static std::shared_ptr<const Model> create(const StateDict& weights, std::int64_t latent_dim,
                                             const SpectrogramConfig& config,
                                             const Placement& placement = {});
  // Whether create() and Spectrogram::create() take no noticeable time: the weights are float32 and
  // stay on the CPU, and the tables of this configuration are already cached.
  static bool is_instant(const StateDict& weights, const SpectrogramConfig& config,
                         const Placement& placement);
  virtual ~Model() = default;
  virtual std::int64_t latent_dim() const = 0;
  virtual bool has_encoder() const = 0;
  virtual std::string device() const = 0;
  virtual std::int64_t byte_size() const = 0;
  // [B, latent_dim] → [B, 1, n_mels, time]
  virtual FloatTensor decode(const FloatTensor& z, const CancelToken& cancel) const = 0;
  // [B, 1, n_mels, time] → mu and logvar, each [B, latent_dim]
  virtual std::pair<FloatTensor, FloatTensor> encode(const FloatTensor& mel,
                                                     const CancelToken& cancel) const = 0;
};

class Spectrogram {
 public:
  static std::shared_ptr<const Spectrogram> create(const SpectrogramConfig& config,
                                                   const Placement& placement = {});
  virtual ~Spectrogram() = default;
  virtual const SpectrogramConfig& config() const = 0;
  // [B, 1, samples] → [B, 1, n_mels, samples / hop + 1]
  virtual FloatTensor waveform_to_mel(const FloatTensor& waveform,
                                      const CancelToken& cancel) const = 0;
  // [B, 1, n_mels, frames] → [B, 1, (frames - 1) * hop]; `seed` as torch.manual_seed
  virtual FloatTensor mel_to_waveform(const FloatTensor& mel, std::uint64_t seed,
                                      const CancelToken& cancel) const = 0;
};

enum class ConcatMode { kCrossfade, kLatentInterpolation };
enum class Joint { kPython, kEqualPower };
enum class SpatialMode { kMono, kStereo, kDualSeed };
enum class Loudness { kPeak, kRunning, kNone };

struct GenerateOptions {
  double duration_s = 1.0;
  std::uint64_t seed = 0;
  ConcatMode concat_mode = ConcatMode::kCrossfade;
  std::optional<std::vector<float>> latent;
  std::int64_t steps_between = 10;
  std::int64_t overlap_samples = 2400;  // at 48 kHz
  Joint joint = Joint::kPython;
  SpatialMode spatial_mode = SpatialMode::kMono;
  double width = 0.0;
  double depth = 0.0;
  std::int64_t sample_rate = 48000;
  Loudness loudness = Loudness::kPeak;
};

struct Quality {
  double snr_db;  // infinity without a noise frame, 0 without a signal frame
  std::int64_t clipped_samples;
  std::int64_t total_samples;
  double peak_value;
  std::int64_t max_consecutive_clipped;
};

struct Generation {
  std::vector<std::vector<float>> audio;  // one per channel
  std::int64_t sample_rate;
  Quality quality;
};

struct AudioFormat {
  std::int64_t sample_rate;
  std::int64_t channels;
  std::int64_t frames;  // samples per channel
};
// The format of the sound that the options ask for, known before any work. Throws kArgument with
// detail "option".
AudioFormat audio_format(const Model& model, const Spectrogram& spectrogram,
                         const GenerateOptions& options);

}  // namespace sda::engine
