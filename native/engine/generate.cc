// The whole way from a seed to audio. The order of the random draws is part of the format: the same
// seed must give the same sound as the Python program.
#include <ATen/TensorOperators.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/randn.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>

#include "engine/butterworth.h"
#include "engine/generate_options.h"
#include "engine/joining.h"
#include "engine/latent_path.h"
#include "engine/quality.h"
#include "engine/resample.h"
#include "engine/spatial.h"
#include "engine/spectrogram.h"
#include "engine/tensors.h"

namespace sda::engine {
namespace {

constexpr double kCutoff = 20000.0;  // Hz
constexpr int kFilterOrder = 8;
constexpr double kLatentJitter = 0.1;
constexpr double kDualSeedDepth = 0.3;
constexpr std::int64_t kOverlapRate = 48000;  // the rate that overlap_samples counts at

// Makes one channel's audio, as far as the low-pass.
class Channel {
 public:
  Channel(const Model& model, const SpectrogramImpl& spectrogram, const GenerateOptions& options,
          std::uint64_t seed, const CancelToken& cancel)
      : model_(model),
        spectrogram_(spectrogram),
        options_(options),
        cancel_(cancel),
        generator_(make_cpu_generator(seed)) {}

  // `chunk_done` is called after each chunk.
  std::vector<float> make(const std::function<void()>& chunk_done) {
    const std::int64_t rate = spectrogram_.config().sample_rate;
    const bool interpolates =
        !options_.latent && options_.concat_mode == ConcatMode::kLatentInterpolation;
    const std::int64_t overlap = interpolates ? 0 : options_.overlap_samples * rate / kOverlapRate;
    const Joiner joiner(overlap, options_.joint);

    const std::int64_t chunks = chunk_count(options_);
    const std::vector<at::Tensor> path = options_.latent ? std::vector<at::Tensor>{} : draw_path();
    std::vector<float> audio;
    for (std::int64_t i = 0; i < chunks; ++i) {
      const at::Tensor wave = render(options_.latent ? jittered(i) : path[i]);
      joiner.append(audio, wave.const_data_ptr<float>(), wave.numel());
      chunk_done();
    }
    if (kCutoff < static_cast<double>(rate) / 2.0) {
      filter_zero_phase(butterworth_low_pass(kFilterOrder, kCutoff, static_cast<double>(rate)),
                        audio, cancel_);
    }
    return audio;
  }

 private:
  at::Tensor draw(at::IntArrayRef shape) { return at::randn(shape, generator_, at::kFloat); }

  std::vector<at::Tensor> draw_path() {
    std::vector<at::Tensor> anchors;
    for (std::int64_t i = 0; i < anchor_count(options_); ++i) {
      anchors.push_back(draw({1, model_.latent_dim()}));
    }
    if (options_.concat_mode == ConcatMode::kCrossfade) return anchors;
    return interpolate_anchors(anchors, options_.steps_between);
  }

  // The asked-for latent itself, then neighbours of it.
  at::Tensor jittered(std::int64_t chunk) {
    const std::vector<float>& latent = *options_.latent;
    const at::Tensor z =
        at::from_blob(const_cast<float*>(latent.data()), {1, model_.latent_dim()}, at::kFloat);
    return chunk == 0 ? z : z + draw({model_.latent_dim()}) * kLatentJitter;
  }

  at::Tensor render(const at::Tensor& z) {
    const FloatTensor decoded = model_.decode(to_float_tensor(z), cancel_);
    const at::Tensor mel =
        view_of(decoded, {1, 1, spectrogram_.config().n_mels, -1}, "decoded mel").squeeze(1);
    if (!at::isfinite(mel).all().item<bool>()) {
      throw Error(ErrorCode::kSchema,
                  "the model decodes to values that are not numbers: its weights are damaged");
    }
    return spectrogram_.mel_to_waveform(mel, generator_, cancel_);
  }

  const Model& model_;
  const SpectrogramImpl& spectrogram_;
  const GenerateOptions& options_;
  const CancelToken& cancel_;
  at::Generator generator_;
};

std::vector<std::vector<float>> make_channels(const Model& model,
                                              const SpectrogramImpl& spectrogram,
                                              const GenerateOptions& options,
                                              const CancelToken& cancel, const Progress& progress) {
  const std::int64_t rate = spectrogram.config().sample_rate;
  const bool dual = options.spatial_mode == SpatialMode::kDualSeed;
  const std::int64_t total = chunk_count(options) * (dual ? 2 : 1);
  std::int64_t done = 0;
  const auto chunk_done = [&] {
    ++done;
    if (progress) progress(done, total);
  };
  const auto make = [&](std::uint64_t seed) {
    return Channel(model, spectrogram, options, seed, cancel).make(chunk_done);
  };

  std::vector<std::vector<float>> audio;
  audio.push_back(make(options.seed));
  if (dual) audio.push_back(make(options.seed + 1));
  if (options.spatial_mode == SpatialMode::kStereo) audio = widen(audio[0], options.width, rate);
  if (options.spatial_mode != SpatialMode::kMono) {
    const double depth = dual ? kDualSeedDepth : options.depth;
    for (std::vector<float>& channel : audio) add_reflection(channel, depth, rate);
  }
  return audio;
}

}  // namespace

Generation generate(const Model& model, const Spectrogram& spectrogram,
                    const GenerateOptions& options, const CancelToken& cancel,
                    const Progress& progress) {
  c10::InferenceMode guard;
  check_options(options, model.latent_dim());
  // Spectrogram::create is the only maker of Spectrograms.
  const auto& implementation = static_cast<const SpectrogramImpl&>(spectrogram);

  Generation result;
  result.sample_rate = options.sample_rate;
  result.audio = make_channels(model, implementation, options, cancel, progress);
  normalise_peak(result.audio);
  for (std::vector<float>& channel : result.audio) {
    channel = resample(channel, spectrogram.config().sample_rate, options.sample_rate, cancel);
  }
  result.quality = measure_quality(result.audio, options.sample_rate);
  const auto wanted =
      static_cast<std::size_t>(options.duration_s * static_cast<double>(options.sample_rate));
  for (std::vector<float>& channel : result.audio) {
    channel.resize(std::min(channel.size(), wanted));
  }
  return result;
}

}  // namespace sda::engine
