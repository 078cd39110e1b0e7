#include "engine/generation/finishing.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "engine/config.h"
#include "engine/generation/generate_options.h"
#include "engine/generation/overlap_path.h"

namespace sda::engine {
namespace {

constexpr double kCutoff = 20000.0;    // Hz
constexpr double kCutoffShare = 0.95;  // of half the rate; only Synthesis::kOverlapAdd
constexpr int kFilterOrder = 8;
constexpr std::int64_t kOverlapRate = 48000;  // overlap_samples counts samples at this rate, in Hz

// Samples by which joined chunks overlap.
std::int64_t overlap_of(const Instrument& instrument, const GenerateOptions& options) {
  const bool interpolates =
      !options.latent && options.concat_mode == ConcatMode::kLatentInterpolation;
  const Synthesis synthesis = instrument.program.synthesis;
  if (synthesis == Synthesis::kOverlapAdd || (synthesis == Synthesis::kChunks && interpolates))
    return 0;
  return options.overlap_samples * rate_of(instrument) / kOverlapRate;
}

// Hz; none: the sound keeps all its frequencies.
std::optional<double> cutoff_of(const Instrument& instrument) {
  const double half = static_cast<double>(rate_of(instrument)) / 2.0;
  if (instrument.program.synthesis == Synthesis::kCodes || half <= kCutoff) return std::nullopt;
  return instrument.program.synthesis == Synthesis::kChunks
             ? kCutoff
             : std::min(kCutoff, kCutoffShare * half);
}

}  // namespace

Assembly::Assembly(const Instrument& instrument, const GenerateOptions& options)
    : spatialiser_(options.spatial_mode, options.width, options.depth, rate_of(instrument)) {
  const auto rate = static_cast<double>(rate_of(instrument));
  const std::optional<double> cutoff = cutoff_of(instrument);
  for (std::int64_t c = 0; c < generated_channels(options); ++c) {
    Channel& channel =
        channels_.emplace_back(Channel{Joiner(overlap_of(instrument, options), options.joint), {}});
    if (cutoff) channel.filter.emplace(butterworth_low_pass(kFilterOrder, *cutoff, rate));
  }
}

Channels Assembly::append(const Channels& chunks, bool last) {
  Channels out(channels_.size());
  for (std::size_t c = 0; c < channels_.size(); ++c) {
    Channel& channel = channels_[c];
    std::vector<float> joined;
    channel.joiner.append(chunks[c].data(), static_cast<std::int64_t>(chunks[c].size()), joined);
    if (last) channel.joiner.finish(joined);
    if (!channel.filter) {
      out[c] = std::move(joined);
      continue;
    }
    channel.filter->push(joined.data(), joined.size(), out[c]);
    if (last) channel.filter->finish(out[c]);
  }
  spatialiser_.process(out);
  return out;
}

Delivery::Delivery(const Instrument& instrument, const GenerateOptions& options,
                   const AudioFormat& format)
    : resampler_(rate_of(instrument), format.sample_rate, instrument.program.resampling),
      left_(format.frames) {
  if (loudness_of(instrument, options) == Loudness::kRunning) gain_.emplace(rate_of(instrument));
}

Channels Delivery::process(Channels piece, bool last) {
  if (gain_) {
    gain_->process(piece);
    if (last) {
      const Channels rest = gain_->finish();
      for (std::size_t c = 0; c < piece.size(); ++c)
        piece[c].insert(piece[c].end(), rest[c].begin(), rest[c].end());
    }
  }
  while (resamplers_.size() < piece.size()) resamplers_.push_back(resampler_.fresh());
  Channels out(piece.size());
  for (std::size_t c = 0; c < piece.size(); ++c) {
    resamplers_[c].push(piece[c].data(), piece[c].size(), out[c]);
    if (last) resamplers_[c].finish(out[c]);
    out[c].resize(std::min(out[c].size(), static_cast<std::size_t>(left_)));
  }
  left_ -= static_cast<std::int64_t>(out[0].size());
  return out;
}

std::int64_t assembled_samples(const Instrument& instrument, const GenerateOptions& options) {
  const SpectrogramConfig& config = instrument.spectrogram->config();
  const auto griffin_lim = [&](std::int64_t frames) { return (frames - 1) * config.hop_length; };
  if (instrument.program.synthesis == Synthesis::kOverlapAdd) {
    const std::int64_t frames = OverlapShape(config, options).frames;
    return instrument.synthesis ? instrument.synthesis->samples(frames) : griffin_lim(frames);
  }
  const std::int64_t chunk = griffin_lim(model_frames(config));
  const std::int64_t chunks = instrument.program.synthesis == Synthesis::kCodes
                                  ? anchor_count(options)
                                  : chunk_count(options);
  const std::int64_t shared = std::min(overlap_of(instrument, options), chunk);
  return chunks * chunk - (chunks - 1) * shared;
}

std::int64_t rate_of(const Instrument& instrument) {
  return instrument.synthesis ? instrument.synthesis->sample_rate()
                              : instrument.spectrogram->config().sample_rate;
}

Loudness loudness_of(const Instrument& instrument, const GenerateOptions& options) {
  return instrument.program.synthesis == Synthesis::kCodes ? Loudness::kNone : options.loudness;
}

AudioFormat audio_format(const Instrument& instrument, const GenerateOptions& options) {
  check_options(instrument, options);
  const std::int64_t made = assembled_samples(instrument, options), from = rate_of(instrument);
  // These programs write all of the sound, at its own rate.
  if (instrument.program.synthesis == Synthesis::kCodes) return {from, 1, made};
  const std::int64_t to = options.sample_rate;
  const auto wanted = static_cast<std::int64_t>(options.duration_s * static_cast<double>(to));
  return {to, options.spatial_mode == SpatialMode::kMono ? 1 : 2,
          std::min((made * to + from - 1) / from, wanted)};
}

}  // namespace sda::engine
