#include "engine/generation/generation.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "checkpoint/error.h"
#include "checkpoint/memory_size.h"
#include "engine/config.h"
#include "engine/float_tensor.h"
#include "engine/generation/finishing.h"
#include "engine/generation/first_latents.h"
#include "engine/generation/generate_options.h"
#include "engine/generation/latent_source.h"
#include "engine/sound/quality.h"
#include "engine/spectrum/spectrogram.h"

namespace sda::engine {
namespace {

// Latents that are decoded together, so that the weights are read once for all of them: the later
// latents of one request, or the first latents of several requests.
constexpr std::int64_t kDecodedTogether = 8;
// Chunks that a GPU decodes and rebuilds together.
constexpr std::int64_t kRebuiltTogether = 32;
// The request pauses when this many pieces, plus one per thread, wait to be taken.
constexpr std::int64_t kPiecesAhead = 2;
// Seconds of sound that are resampled between two checks of the cancel token.
constexpr std::int64_t kStretchSeconds = 1;

bool is_finite(const FloatTensor& mel) {
  const float* const values = mel.data.get();
  return std::all_of(values, values + mel.numel(), [](float v) { return std::isfinite(v); });
}

void check_finite(const FloatTensor& mel) {
  if (!is_finite(mel)) {
    throw Error(ErrorCode::kSchema,
                "the model decodes to values that are not numbers: its weights are damaged");
  }
}

// Chunks are numbered in the order in which they are drawn. With two generated channels: left,
// right, left, …
class Generator final : public GenerationRequest {
 public:
  Generator(std::shared_ptr<const Model> model, std::shared_ptr<const Spectrogram> spectrogram,
            const GenerateOptions& options, std::shared_ptr<CancelToken> cancel,
            GenerationEvents events, std::shared_ptr<const void> owner)
      : GenerationRequest(std::move(cancel)),
        parts_(std::in_place, std::move(model), std::move(spectrogram), options, std::move(owner)),
        options_(options),
        events_(std::move(events)),
        channels_(generated_channels(options)),
        total_(chunk_count(options) * channels_) {}

  ~Generator() override { withdraw(); }

  // From now on, other requests may decode the first latent together with theirs.
  void offer() {
    if (!parts_->on_cpu()) return;
    first_ = std::make_shared<FirstLatent>(options_, parts_->model->latent_dim(), weak_from_this());
    FirstLatents::shared().add(*parts_->model, first_);
  }

  void piece_taken() override {
    pieces_out_.fetch_sub(1);
    Scheduler::shared().wake(*this);
  }

 protected:
  Next next(Task& task) override {
    if (assembled_.load()) return Next::kEnd;
    const std::int64_t under_way = drawn_ - taken_in_.load();
    if (drawn_ == total_ || under_way >= most_under_way()) return Next::kWait;
    if (streams()) {
      // All threads help with the first chunk, so that the first sound comes early.
      if (drawn_ == channels_ && taken_in_.load() < channels_) return Next::kWait;
      if (pieces_out_.load() + under_way / channels_ >= most_pieces_ahead()) return Next::kWait;
    }
    return parts_->on_cpu() ? draw_one(task) : draw_group(task);
  }

  void ended(std::exception_ptr failure) noexcept override {
    withdraw();
    parts_.reset();
    const auto tell = std::exchange(events_.ended, nullptr);
    events_ = {};
    tell(std::exchange(result_, {}), std::move(failure));
  }

 private:
  // The model and what belongs to it; released when the request ends.
  struct Parts {
    Parts(std::shared_ptr<const Model> the_model,
          std::shared_ptr<const Spectrogram> the_spectrogram, const GenerateOptions& options,
          std::shared_ptr<const void> the_owner)
        : owner(std::move(the_owner)),
          model(std::move(the_model)),
          spectrogram(std::move(the_spectrogram)),
          assembly(options, config().sample_rate) {
      if (options.loudness != Loudness::kPeak)
        delivery.emplace(options, config().sample_rate,
                         audio_format(*model, *spectrogram, options).frames);
    }

    // Spectrogram::create makes no other type than this.
    const SpectrogramImpl& spectra() const {
      return static_cast<const SpectrogramImpl&>(*spectrogram);
    }
    const SpectrogramConfig& config() const { return spectrogram->config(); }
    bool on_cpu() const { return spectra().on_cpu(); }

    std::shared_ptr<const void> owner;
    std::shared_ptr<const Model> model;
    std::shared_ptr<const Spectrogram> spectrogram;
    std::vector<LatentSource> sources;          // one per channel; made by the first draw
    std::vector<std::deque<FloatTensor>> mels;  // decoded ahead: [1, 1, n_mels, frames]
    Assembly assembly;
    std::optional<Delivery> delivery;
  };

  bool streams() const { return events_.piece != nullptr; }
  std::int64_t threads() const {
    return static_cast<std::int64_t>(Scheduler::shared().settings().threads);
  }
  std::int64_t most_under_way() const {
    return parts_->on_cpu() ? 2 * std::max(threads(), channels_) : kRebuiltTogether;
  }
  std::int64_t most_pieces_ahead() const { return threads() + kPiecesAhead; }

  LatentSource& source(std::int64_t channel) {
    auto& sources = parts_->sources;
    if (sources.empty()) {
      sources.reserve(static_cast<std::size_t>(channels_));
      for (std::int64_t c = 0; c < channels_; ++c)
        sources.emplace_back(options_, parts_->model->latent_dim(),
                             options_.seed + static_cast<std::uint64_t>(c));
      parts_->mels.resize(static_cast<std::size_t>(channels_));
    }
    return sources[static_cast<std::size_t>(channel)];
  }

  FloatTensor draw_phases(std::int64_t channel) {
    return source(channel).phases(parts_->spectra().bins(), model_frames(parts_->config()));
  }

  void withdraw() noexcept {
    if (first_ && parts_) FirstLatents::shared().withdraw(*parts_->model, *first_);
  }

  Next draw_one(Task& task) {
    if (drawn_ == 0 && !first_is_decoded()) return Next::kWait;
    const std::int64_t number = drawn_, channel = number % channels_;
    FloatTensor mel = decoded(channel, number / channels_);
    FloatTensor phases = draw_phases(channel);
    ++drawn_;
    task = [this, number, mel = std::move(mel), phases = std::move(phases)] {
      const FloatTensor wave = parts_->spectra().rebuild(mel, phases, cancel());
      take_in(number, {wave.data.get(), wave.data.get() + wave.numel()});
    };
    return Next::kTask;
  }

  // Returns false while another request decodes the latent together with its own.
  bool first_is_decoded() {
    FloatTensor mel;
    switch (FirstLatents::shared().claim(*parts_->model, *first_, mel)) {
      case FirstLatents::Claim::kWait:
        return false;
      case FirstLatents::Claim::kDecoded:
        break;
      case FirstLatents::Claim::kDecode:
        mel = decode_with_others(source(0).latent(0));
        break;
    }
    source(0);  // creates parts_->mels
    parts_->mels[0].push_back(std::move(mel));
    return true;
  }

  FloatTensor decode_with_others(Latent latent) {
    // A stream decodes its first latent alone, so that its first sound comes early.
    const std::int64_t most = streams() ? 0 : kDecodedTogether - 1;
    FirstLatents::Taken others = FirstLatents::shared().take(
        *parts_->model, static_cast<std::size_t>(most), static_cast<std::size_t>(threads() - 1));
    std::vector<Latent> z{std::move(latent)};
    for (const auto& other : others.latents()) z.push_back(other->draw());
    const FloatTensor mels = parts_->model->decode(stack(z), cancel());
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
    std::deque<FloatTensor>& ahead = parts_->mels[static_cast<std::size_t>(channel)];
    if (ahead.empty()) {
      const bool together = latents.knows_all_latents() && chunk > 0;
      const std::int64_t count =
          std::min(together ? kDecodedTogether : 1, total_ / channels_ - chunk);
      std::vector<Latent> z;
      for (std::int64_t i = 0; i < count; ++i) z.push_back(latents.latent(chunk + i));
      const FloatTensor mel = parts_->model->decode(stack(z), cancel());
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
    const std::int64_t frames = model_frames(parts_->config());
    FloatTensor phases = make_tensor({count, parts_->spectra().bins(), frames, 2});
    for (std::int64_t i = 0; i < count; ++i, ++drawn_) {
      const std::int64_t channel = drawn_ % channels_;
      z.push_back(source(channel).latent(drawn_ / channels_));
      const FloatTensor drawn = draw_phases(channel);
      std::copy_n(drawn.data.get(), drawn.numel(), slice(phases, i, 1).data.get());
    }
    task = [this, first, count, z = stack(z), phases = std::move(phases)] {
      const FloatTensor mel = parts_->model->decode(z, cancel());
      check_finite(mel);
      const FloatTensor waves = parts_->spectra().rebuild(mel, phases, cancel());
      for (std::int64_t i = 0; i < count; ++i) {
        const float* const samples = waves.data.get() + i * waves.shape[1];
        take_in(first + i, {samples, samples + waves.shape[1]});
      }
    };
    return Next::kTask;
  }

  // Takes the wave of one chunk, from any thread and in any order. One thread at a time assembles
  // all chunks that are complete up to here; other threads only store their wave and return.
  void take_in(std::int64_t number, std::vector<float> wave) {
    if (events_.progress) events_.progress(done_.fetch_add(1) + 1, total_);
    std::unique_lock lock(mutex_);
    waves_.resize(std::max(waves_.size(), static_cast<std::size_t>(number - first_wave_ + 1)));
    waves_[static_cast<std::size_t>(number - first_wave_)] = std::move(wave);
    if (assembling_) return;
    assembling_ = true;
    while (static_cast<std::int64_t>(waves_.size()) >= channels_ &&
           std::none_of(waves_.begin(), waves_.begin() + channels_,
                        [](const auto& there) { return there.empty(); })) {
      Channels chunks;
      for (std::int64_t c = 0; c < channels_; ++c) {
        chunks.push_back(std::move(waves_.front()));
        waves_.pop_front();
      }
      first_wave_ += channels_;
      lock.unlock();
      assemble(chunks, first_wave_ == total_);
      taken_in_.fetch_add(channels_);
      lock.lock();
    }
    assembling_ = false;
  }

  void assemble(const Channels& chunks, bool last) {
    Channels piece = parts_->assembly.append(chunks, last);
    if (parts_->delivery) piece = parts_->delivery->process(std::move(piece), last);
    if (streams()) {
      give(piece);
    } else {
      if (result_.audio.empty()) {
        result_.audio.resize(piece.size());
        for (std::vector<float>& channel : result_.audio) channel.reserve(expected_samples());
      }
      for (std::size_t c = 0; c < piece.size(); ++c)
        result_.audio[c].insert(result_.audio[c].end(), piece[c].begin(), piece[c].end());
    }
    if (!last) return;
    if (!streams()) finish();
    assembled_.store(true);
  }

  std::size_t expected_samples() const {
    const auto chunk = (model_frames(parts_->config()) - 1) * parts_->config().hop_length;
    const std::int64_t rate = parts_->config().sample_rate;
    return static_cast<std::size_t>(
        parts_->delivery ? audio_format(*parts_->model, *parts_->spectrogram, options_).frames
                         : assembled_samples(options_, rate, chunk));
  }

  void give(const Channels& piece) {
    if (piece[0].empty()) return;
    std::vector<float> interleaved(piece[0].size() * piece.size());
    for (std::size_t c = 0; c < piece.size(); ++c)
      for (std::size_t i = 0; i < piece[c].size(); ++i)
        interleaved[i * piece.size() + c] = piece[c][i];
    pieces_out_.fetch_add(1);
    events_.piece(std::move(interleaved));
  }

  // The steps that need the whole sound.
  void finish() {
    const std::int64_t from = parts_->config().sample_rate, to = options_.sample_rate;
    result_.sample_rate = to;
    if (options_.loudness == Loudness::kPeak) {
      scale_to_peak(result_.audio, peak_of(result_.audio));
      if (from != to) resample_all(from, to);
    }
    result_.quality = measure_quality(result_.audio, to);
    const auto wanted = static_cast<std::size_t>(options_.duration_s * static_cast<double>(to));
    for (std::vector<float>& channel : result_.audio)
      channel.resize(std::min(channel.size(), wanted));
  }

  void resample_all(std::int64_t from, std::int64_t to) {
    const Resampler table(from, to);
    parallel_for(static_cast<std::int64_t>(result_.audio.size()), [&](std::int64_t c) {
      std::vector<float>& channel = result_.audio[static_cast<std::size_t>(c)];
      Resampler resampler = table.fresh();
      std::vector<float> resampled;
      resampled.reserve(memory_size(static_cast<std::int64_t>(channel.size()) * to / from + 1));
      const auto stretch = static_cast<std::size_t>(kStretchSeconds * from);
      for (std::size_t at = 0; at < channel.size(); at += stretch) {
        cancel().throw_if_cancelled();
        resampler.push(channel.data() + at, std::min(stretch, channel.size() - at), resampled);
      }
      resampler.finish(resampled);
      channel = std::move(resampled);
    });
  }

  std::optional<Parts> parts_;
  const GenerateOptions options_;
  GenerationEvents events_;
  const std::int64_t channels_;  // number of generated channels
  const std::int64_t total_;     // chunks of all channels
  std::int64_t drawn_ = 0;
  std::shared_ptr<FirstLatent> first_;  // null on devices other than the CPU

  std::atomic<std::int64_t> done_{0};
  std::atomic<std::int64_t> taken_in_{0};    // chunks that are assembled
  std::atomic<std::int64_t> pieces_out_{0};  // pieces that are given and not yet taken
  std::atomic<bool> assembled_{false};

  std::mutex mutex_;                      // guards the next three members
  std::deque<std::vector<float>> waves_;  // chunks from first_wave_ on; empty if not done yet
  std::int64_t first_wave_ = 0;
  bool assembling_ = false;

  Generation result_;  // written by the thread that assembles
};

}  // namespace

AudioFormat audio_format(const Model& model, const Spectrogram& spectrogram,
                         const GenerateOptions& options) {
  check_options(options, model.latent_dim());
  const SpectrogramConfig& config = spectrogram.config();
  const std::int64_t chunk = (model_frames(config) - 1) * config.hop_length;
  const std::int64_t made = assembled_samples(options, config.sample_rate, chunk);
  const auto wanted =
      static_cast<std::int64_t>(options.duration_s * static_cast<double>(options.sample_rate));
  const std::int64_t resampled =
      (made * options.sample_rate + config.sample_rate - 1) / config.sample_rate;
  return {options.sample_rate, options.spatial_mode == SpatialMode::kMono ? 1 : 2,
          std::min(resampled, wanted)};
}

std::shared_ptr<GenerationRequest> make_generation(std::shared_ptr<const Model> model,
                                                   std::shared_ptr<const Spectrogram> spectrogram,
                                                   const GenerateOptions& options,
                                                   std::shared_ptr<CancelToken> cancel,
                                                   GenerationEvents events,
                                                   std::shared_ptr<const void> owner) {
  check_options(options, model->latent_dim());
  auto request =
      std::make_shared<Generator>(std::move(model), std::move(spectrogram), options,
                                  std::move(cancel), std::move(events), std::move(owner));
  request->offer();
  return request;
}

}  // namespace sda::engine
