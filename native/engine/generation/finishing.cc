#include "engine/generation/finishing.h"

#include <algorithm>
#include <utility>

#include "engine/generation/generate_options.h"

namespace sda::engine {
namespace {

constexpr double kCutoff = 20000.0;  // Hz
constexpr int kFilterOrder = 8;
constexpr std::int64_t kOverlapRate = 48000;  // overlap_samples counts samples at this rate, in Hz

std::int64_t overlap_of(const GenerateOptions& options, std::int64_t model_rate) {
  const bool interpolates =
      !options.latent && options.concat_mode == ConcatMode::kLatentInterpolation;
  return interpolates ? 0 : options.overlap_samples * model_rate / kOverlapRate;
}

}  // namespace

Assembly::Assembly(const GenerateOptions& options, std::int64_t model_rate)
    : spatialiser_(options.spatial_mode, options.width, options.depth, model_rate) {
  const auto rate = static_cast<double>(model_rate);
  for (std::int64_t c = 0; c < generated_channels(options); ++c) {
    Channel& channel =
        channels_.emplace_back(Channel{Joiner(overlap_of(options, model_rate), options.joint), {}});
    if (kCutoff < rate / 2.0)
      channel.filter.emplace(butterworth_low_pass(kFilterOrder, kCutoff, rate));
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

Delivery::Delivery(const GenerateOptions& options, std::int64_t model_rate, std::int64_t frames)
    : resampler_(model_rate, options.sample_rate), left_(frames) {
  if (options.loudness == Loudness::kRunning) gain_.emplace(model_rate);
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

std::int64_t assembled_samples(const GenerateOptions& options, std::int64_t model_rate,
                               std::int64_t chunk_samples) {
  const std::int64_t shared = std::min(overlap_of(options, model_rate), chunk_samples);
  const std::int64_t chunks = chunk_count(options);
  return chunks * chunk_samples - (chunks - 1) * shared;
}

}  // namespace sda::engine
