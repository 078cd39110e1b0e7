#include "engine/generation/overlap_path.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "engine/config.h"
#include "engine/float_tensor.h"
#include "engine/generation/generate_options.h"
#include "engine/generation/generator.h"

namespace sda::engine {
namespace {

constexpr float kSmallestWeight = 1e-8F;

}  // namespace

OverlapShape::OverlapShape(const SpectrogramConfig& config, const GenerateOptions& options)
    : chunk(model_frames(config)), hop(std::max<std::int64_t>(1, chunk / 2)) {
  const std::int64_t seconds = anchor_count(options);
  const std::int64_t needed = seconds * config.sample_rate / config.hop_length + 1;
  steps = needed <= chunk ? 1 : (needed - chunk + hop - 1) / hop + 1;
  frames = (steps - 1) * hop + chunk;
}

std::vector<Latent> overlap_path(const GenerateOptions& options, std::int64_t steps,
                                 std::int64_t latent_dim, TorchRandom& random) {
  const std::int64_t seconds = anchor_count(options);
  const auto draw = [&] {
    Latent latent(static_cast<std::size_t>(latent_dim));
    random.randn(latent);
    return latent;
  };
  std::vector<Latent> anchors;
  if (!options.latent) {
    for (std::int64_t i = 0; i < std::max<std::int64_t>(2, seconds); ++i) anchors.push_back(draw());
  } else {
    anchors.push_back(*options.latent);
    if (steps > 1 && options.evolution > 0.0) {
      const std::int64_t count = std::max<std::int64_t>(2, (2 * seconds + 2) / 3);
      while (static_cast<std::int64_t>(anchors.size()) < count)
        anchors.push_back(slerp(*options.latent, draw(), options.evolution));
    }
  }
  const auto last = static_cast<std::int64_t>(anchors.size()) - 1;
  if (last == 0 || steps == 1)
    return std::vector<Latent>(static_cast<std::size_t>(steps), anchors.front());
  std::vector<Latent> path;
  for (std::int64_t i = 0; i < steps; ++i) {
    const double at =
        static_cast<double>(i) / static_cast<double>(steps - 1) * static_cast<double>(last);
    const std::int64_t segment = std::min(static_cast<std::int64_t>(at), last - 1);
    path.push_back(slerp(anchors[static_cast<std::size_t>(segment)],
                         anchors[static_cast<std::size_t>(segment + 1)],
                         at - static_cast<double>(segment)));
  }
  return path;
}

OverlapMel::OverlapMel(std::shared_ptr<const Model> model,
                       std::shared_ptr<const LocalSynthesis> synthesis, const OverlapShape& shape,
                       std::vector<Latent> path, std::int64_t n_mels)
    : model_(std::move(model)),
      synthesis_(std::move(synthesis)),
      shape_(shape),
      path_(std::move(path)),
      rows_(model_->channels() * n_mels),
      mel_(make_tensor({1, model_->channels(), n_mels, shape.frames})),
      weight_(static_cast<std::size_t>(shape.frames), 0.0F) {
  std::fill_n(mel_.data.get(), mel_.numel(), 0.0F);
  for (std::int64_t i = 0; i < shape.chunk; ++i)
    window_.push_back(
        static_cast<float>(0.5 - 0.5 * std::cos(2.0 * std::numbers::pi * static_cast<double>(i) /
                                                static_cast<double>(shape.chunk))));
}

std::int64_t OverlapMel::advance(std::int64_t end, std::int64_t together,
                                 const CancelToken& cancel) {
  const std::int64_t before = decoded_;
  while (settled_ < std::min(end, shape_.frames)) {
    const std::int64_t count = std::min(together, shape_.steps - decoded_);
    const std::vector<Latent> z(path_.begin() + decoded_, path_.begin() + decoded_ + count);
    const FloatTensor decoded = model_->decode(stack(z), cancel);
    check_finite(decoded);
    for (std::int64_t i = 0; i < count; ++i) add(slice(decoded, i, 1).data.get(), decoded_ + i);
    decoded_ += count;
    settle(decoded_ == shape_.steps ? shape_.frames : decoded_ * shape_.hop);
  }
  return decoded_ - before;
}

void OverlapMel::add(const float* decoded, std::int64_t step) {
  const std::int64_t first = step * shape_.hop;
  if (shape_.steps == 1) {
    std::copy_n(decoded, mel_.numel(), mel_.data.get());
    return;
  }
  for (std::int64_t row = 0; row < rows_; ++row) {
    float* const to = mel_.data.get() + row * shape_.frames + first;
    const float* const from = decoded + row * shape_.chunk;
    for (std::int64_t t = 0; t < shape_.chunk; ++t)
      to[t] += from[t] * window_[static_cast<std::size_t>(t)];
  }
  for (std::int64_t t = 0; t < shape_.chunk; ++t)
    weight_[static_cast<std::size_t>(first + t)] += window_[static_cast<std::size_t>(t)];
}

void OverlapMel::settle(std::int64_t end) {
  if (shape_.steps > 1)
    for (std::int64_t row = 0; row < rows_; ++row) {
      float* const values = mel_.data.get() + row * shape_.frames;
      for (std::int64_t t = settled_; t < end; ++t)
        values[t] /= std::max(weight_[static_cast<std::size_t>(t)], kSmallestWeight);
    }
  if (synthesis_)
    synthesis_->prepare(mel_.data.get() + settled_, shape_.frames, end - settled_, state_);
  settled_ = end;
}

}  // namespace sda::engine
