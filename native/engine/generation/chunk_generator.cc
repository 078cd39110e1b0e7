// Synthesis::kChunks: each second is decoded and rebuilt alone, and fades join them.
#include <algorithm>
#include <utility>

#include "checkpoint/error.h"
#include "engine/config.h"
#include "engine/float_tensor.h"
#include "engine/generation/first_latents.h"
#include "engine/generation/generate_options.h"
#include "engine/generation/generator.h"
#include "engine/generation/latent_source.h"

namespace sda::engine {
namespace {

// Chunks that a GPU decodes and rebuilds together.
constexpr std::int64_t kRebuiltTogether = 32;

class ChunkGenerator final : public Generator {
 public:
  ChunkGenerator(Instrument instrument, const GenerateOptions& options,
                 std::shared_ptr<CancelToken> cancel, GenerationEvents events,
                 std::shared_ptr<const void> owner)
      : Generator(std::move(instrument), options, std::move(cancel), std::move(events),
                  std::move(owner), chunk_count(options)) {}
  ~ChunkGenerator() override { withdraw(); }

  // From now on, other requests may decode the first latent together with theirs.
  void offer() override {
    if (!on_cpu()) return;
    first_ = std::make_shared<FirstLatent>(options_, model().latent_dim(), weak_from_this());
    FirstLatents::shared().add(model(), first_);
  }

 protected:
  Next draw(Task& task) override { return on_cpu() ? draw_one(task) : draw_group(task); }
  std::int64_t most_under_way() const override {
    return on_cpu() ? Generator::most_under_way() : kRebuiltTogether;
  }
  void withdraw() noexcept override {
    if (first_ && !has_ended()) FirstLatents::shared().withdraw(model(), *first_);
  }

 private:
  const Model& model() const { return *instrument().model; }

  LatentSource& source(std::int64_t channel) {
    if (sources_.empty()) {
      sources_.reserve(static_cast<std::size_t>(channels_));
      for (std::int64_t c = 0; c < channels_; ++c)
        sources_.emplace_back(options_, model().latent_dim(), seed_of(c));
      mels_.resize(static_cast<std::size_t>(channels_));
    }
    return sources_[static_cast<std::size_t>(channel)];
  }

  FloatTensor draw_phases(std::int64_t channel) {
    return source(channel).phases(spectra().bins(), model_frames(config()));
  }

  Next draw_one(Task& task) {
    if (drawn_ == 0 && !first_is_decoded()) return Next::kWait;
    const std::int64_t number = drawn_, channel = number % channels_;
    FloatTensor mel = decoded(channel, number / channels_);
    FloatTensor phases = draw_phases(channel);
    ++drawn_;
    task = [this, number, mel = std::move(mel), phases = std::move(phases)] {
      const FloatTensor wave = spectra().rebuild(mel, phases, cancel());
      report_work();
      take_in(number, {wave.data.get(), wave.data.get() + wave.numel()});
    };
    return Next::kTask;
  }

  // Returns false while another request decodes the latent together with its own.
  bool first_is_decoded() {
    FloatTensor mel;
    switch (FirstLatents::shared().claim(model(), *first_, mel)) {
      case FirstLatents::Claim::kWait:
        return false;
      case FirstLatents::Claim::kDecoded:
        break;
      case FirstLatents::Claim::kDecode:
        mel = decode_with_others(source(0).latent(0));
        break;
    }
    source(0);  // creates mels_
    mels_[0].push_back(std::move(mel));
    return true;
  }

  FloatTensor decode_with_others(Latent latent) {
    // A stream decodes its first latent alone, so that its first sound comes early.
    const std::int64_t most = streams() ? 0 : kDecodedTogether - 1;
    FirstLatents::Taken others = FirstLatents::shared().take(
        model(), static_cast<std::size_t>(most), static_cast<std::size_t>(threads() - 1));
    std::vector<Latent> z{std::move(latent)};
    for (const auto& other : others.latents()) z.push_back(other->draw());
    const FloatTensor mels = model().decode(stack(z), cancel());
    for (std::size_t i = 0; i < others.latents().size(); ++i) {
      FloatTensor mel = slice(mels, static_cast<std::int64_t>(i) + 1, 1);
      if (is_finite(mel)) others.give(i, std::move(mel));
    }
    FloatTensor mel = slice(mels, 0, 1);
    check_finite(mel);
    return mel;
  }

  // The next chunk's mel. Where all latents are known, the following ones are decoded with it.
  FloatTensor decoded(std::int64_t channel, std::int64_t chunk) {
    LatentSource& latents = source(channel);
    std::deque<FloatTensor>& ahead = mels_[static_cast<std::size_t>(channel)];
    if (ahead.empty()) {
      const bool together = latents.knows_all_latents() && chunk > 0;
      const std::int64_t count =
          std::min(together ? kDecodedTogether : 1, total_ / channels_ - chunk);
      std::vector<Latent> z;
      for (std::int64_t i = 0; i < count; ++i) z.push_back(latents.latent(chunk + i));
      const FloatTensor mel = model().decode(stack(z), cancel());
      check_finite(mel);
      for (std::int64_t i = 0; i < count; ++i) ahead.push_back(slice(mel, i, 1));
    }
    FloatTensor mel = std::move(ahead.front());
    ahead.pop_front();
    return mel;
  }

  Next draw_group(Task& task) {
    const std::int64_t first = drawn_;
    const std::int64_t together = streams() && first == 0 ? channels_ : kRebuiltTogether;
    const std::int64_t count = std::min(together, total_ - first);
    std::vector<Latent> z;
    const std::int64_t frames = model_frames(config());
    FloatTensor phases = make_tensor({count, spectra().bins(), frames, 2});
    for (std::int64_t i = 0; i < count; ++i, ++drawn_) {
      const std::int64_t channel = drawn_ % channels_;
      z.push_back(source(channel).latent(drawn_ / channels_));
      const FloatTensor drawn = draw_phases(channel);
      std::copy_n(drawn.data.get(), drawn.numel(), slice(phases, i, 1).data.get());
    }
    task = [this, first, count, z = stack(z), phases = std::move(phases)] {
      const FloatTensor mel = model().decode(z, cancel());
      check_finite(mel);
      const FloatTensor waves = spectra().rebuild(mel, phases, cancel());
      for (std::int64_t i = 0; i < count; ++i) {
        const float* const samples = waves.data.get() + i * waves.shape[1];
        report_work();
        take_in(first + i, {samples, samples + waves.shape[1]});
      }
    };
    return Next::kTask;
  }

  std::vector<LatentSource> sources_;          // one per channel; made by the first draw
  std::vector<std::deque<FloatTensor>> mels_;  // decoded ahead: [1, 1, n_mels, frames]
  std::shared_ptr<FirstLatent> first_;         // null on devices other than the CPU
};

}  // namespace

std::shared_ptr<Generator> make_chunk_generator(Instrument instrument,
                                                const GenerateOptions& options,
                                                std::shared_ptr<CancelToken> cancel,
                                                GenerationEvents events,
                                                std::shared_ptr<const void> owner) {
  return std::make_shared<ChunkGenerator>(std::move(instrument), options, std::move(cancel),
                                          std::move(events), std::move(owner));
}

}  // namespace sda::engine
