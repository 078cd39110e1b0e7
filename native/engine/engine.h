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

// The networks of the programs' versions, by their layers.
enum class Network {
  kSigmoid,   // four layers, one channel; the decoder ends in a sigmoid
  kSoftplus,  // the same with a softplus
  kComplex,   // five layers, two channels: softplus of the loudness, tanh of the phase's steps
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
  static std::shared_ptr<const Model> create(const StateDict& weights, Network network,
                                             std::int64_t latent_dim,
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
  // 2 for kComplex, else 1
  virtual std::int64_t channels() const = 0;
  // [B, latent_dim] → [B, channels, n_mels, time]
  virtual FloatTensor decode(const FloatTensor& z, const CancelToken& cancel) const = 0;
  // [B, channels, n_mels, time] → mu and logvar, each [B, latent_dim]
  virtual std::pair<FloatTensor, FloatTensor> encode(const FloatTensor& mel,
                                                     const CancelToken& cancel) const = 0;
};

// Turns mels into sound without Griffin-Lim. Immutable after creation.
class LocalSynthesis;

struct VocoderConfig {
  std::int64_t sample_rate = 48000;  // Hz
  std::int64_t hop_length = 512;
  std::int64_t num_mels = 128;
  std::int64_t upsample_initial_channel = 128;
  std::vector<std::int64_t> upsample_rates, upsample_kernel_sizes;
  std::vector<std::int64_t> resblock_kernel_sizes;
  std::vector<std::vector<std::int64_t>> resblock_dilations;
};

// A HiFi-GAN generator. Checks every name and shape (kSchema, detail "tensor" or "field").
std::shared_ptr<const LocalSynthesis> make_vocoder(const StateDict& weights,
                                                   const VocoderConfig& config,
                                                   const Placement& placement = {});

// Throws kArgument, detail "option" = "vocoder", unless it takes mels of this configuration.
void check_vocoder_fits(const LocalSynthesis& vocoder, const SpectrogramConfig& config);
// [B, channels, n_mels, frames] → [B, 1, samples]. Throws kArgument for a mel of another shape, or
// with values that are not finite or too large.
FloatTensor render_all(const LocalSynthesis& synthesis, const FloatTensor& mel,
                       const CancelToken& cancel);
// waveform [B, 1, samples] → the normalised mel of a complex model, [B, 2, n_mels, frames]; of a
// method that make_complex_synthesis() made. Throws kArgument for a wave that is too short.
FloatTensor analyse_complex(const LocalSynthesis& synthesis, const FloatTensor& waveform,
                            const CancelToken& cancel);
std::int64_t byte_size_of(const LocalSynthesis& synthesis);

// What a complex model's mels were normalised by: x · std + mean undoes it.
struct ComplexStats {
  double mag_mean = 0.0, mag_std = 1.0, if_mean = 0.0, if_std = 1.0;
};
// The sound of a complex model's mels.
std::shared_ptr<const LocalSynthesis> make_complex_synthesis(
    const SpectrogramConfig& config, const std::optional<ComplexStats>& stats);

class Spectrogram {
 public:
  // `iterations` of Griffin-Lim
  static std::shared_ptr<const Spectrogram> create(const SpectrogramConfig& config, int iterations,
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

struct CodebookConfig {
  std::int64_t codebook_dim = 128;
  std::int64_t codebook_size = 256;
  std::int64_t num_quantizers = 3;  // levels
};

struct PriorConfig {
  std::int64_t hidden_size = 128;
  std::int64_t num_layers = 2;
  std::int64_t num_heads = 4;
  std::int64_t seq_len = 144;
  std::int64_t num_quantizers = 3;
};

struct SampleOptions {
  double temperature = 1.0;
  std::int64_t top_k = 0;  // 0: all codes
  double top_p = 0.9;      // 0 or 1: all codes
};

// A vector-quantised autoencoder, and the prior that continues its codes. Immutable after creation.
// Codes are position by position, row by row of the grid (rows: bands, columns: time), each with
// its levels.
class CodeModel {
 public:
  // Checks every name and shape (kSchema, detail "tensor" or "field"). `prior` may be null.
  struct PriorSource {
    const StateDict& weights;
    PriorConfig config;
  };
  static std::shared_ptr<const CodeModel> create(const StateDict& weights,
                                                 const CodebookConfig& codebook,
                                                 const PriorSource* prior,
                                                 const SpectrogramConfig& config);
  virtual ~CodeModel() = default;
  virtual const CodebookConfig& config() const = 0;
  virtual std::int64_t mel_bands() const = 0;
  // Of one second, the length that the prior's sequences decode to.
  virtual std::int64_t frames() const = 0;
  virtual std::int64_t byte_size() const = 0;
  virtual bool has_prior() const = 0;
  // → [1, 1, n_mels, frames]. The grid has ⌈frames / 16⌉ columns.
  virtual FloatTensor decode(const std::vector<std::int32_t>& codes, std::int64_t frames,
                             const CancelToken& cancel) const = 0;
  // [1, 1, n_mels, frames], of any number of frames → codes
  virtual std::vector<std::int32_t> encode(const FloatTensor& mel,
                                           const CancelToken& cancel) const = 0;
  // The prior's codes of one second; kArgument where there is no prior.
  virtual std::vector<std::int32_t> sample(std::uint64_t seed, const SampleOptions& options,
                                           const CancelToken& cancel) const = 0;
  // The prior's logits after each of these codes: [codes, codebook_size]
  virtual FloatTensor logits(const std::vector<std::int32_t>& codes,
                             const CancelToken& cancel) const = 0;
};

// How the program that wrote a file makes sound from it.
enum class Synthesis {
  kChunks,      // each second alone, joined by fades
  kOverlapAdd,  // overlapping mels along a path, then one pass over all of them
  kCodes,       // each second from codes that the prior draws, joined by fades
};
enum class SincWindow { kHann, kKaiser };
struct Program {
  Synthesis synthesis = Synthesis::kChunks;
  int griffin_lim_iterations = 64;
  SincWindow resampling = SincWindow::kHann;
};

// All that makes sound. One of `model` and `codes` is set.
struct Instrument {
  Program program;
  std::shared_ptr<const Model> model;
  std::shared_ptr<const CodeModel> codes;
  std::shared_ptr<const Spectrogram> spectrogram;
  std::shared_ptr<const LocalSynthesis> synthesis;  // null: Griffin-Lim
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
  double evolution = 0.5;  // kOverlapAdd: how far a given latent moves, 0 … 1
  SampleOptions sampling;  // kCodes
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
AudioFormat audio_format(const Instrument& instrument, const GenerateOptions& options);

}  // namespace sda::engine
