#include "engine/generation/generator.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "checkpoint/error.h"
#include "checkpoint/memory_size.h"
#include "engine/generation/generate_options.h"
#include "engine/sound/quality.h"

namespace sda::engine {
namespace {

// The request pauses when this many pieces, plus one per thread, wait to be taken.
constexpr std::int64_t kPiecesAhead = 2;
// Seconds of sound that are resampled, or assembled, between two checks of the cancel token.
constexpr std::int64_t kStretchSeconds = 1;

}  // namespace

bool is_finite(const FloatTensor& mel) {
  const float* const values = mel.data.get();
  return std::all_of(values, values + mel.numel(), [](float v) { return std::isfinite(v); });
}

void check_finite(const FloatTensor& mel) {
  if (is_finite(mel)) return;
  throw Error(ErrorCode::kSchema,
              "the model decodes to values that are not numbers: its weights are damaged");
}

Generator::Parts::Parts(Instrument the_instrument, const GenerateOptions& options,
                        std::shared_ptr<const void> the_owner)
    : owner(std::move(the_owner)),
      instrument(std::move(the_instrument)),
      assembly(instrument, options) {
  if (loudness_of(instrument, options) != Loudness::kPeak)
    delivery.emplace(instrument, options, audio_format(instrument, options));
}

Generator::Generator(Instrument instrument, const GenerateOptions& options,
                     std::shared_ptr<CancelToken> cancel, GenerationEvents events,
                     std::shared_ptr<const void> owner, std::int64_t waves_per_channel)
    : GenerationRequest(std::move(cancel)),
      options_(options),
      channels_(generated_channels(options)),
      total_(waves_per_channel * channels_),
      parts_(std::in_place, std::move(instrument), options, std::move(owner)),
      events_(std::move(events)) {}

void Generator::piece_taken() {
  pieces_out_.fetch_sub(1);
  Scheduler::shared().wake(*this);
}

std::int64_t Generator::threads() {
  return static_cast<std::int64_t>(Scheduler::shared().settings().threads);
}

std::int64_t Generator::most_under_way() const { return 2 * std::max(threads(), channels_); }

std::int64_t Generator::most_pieces_ahead() const { return threads() + kPiecesAhead; }

Request::Next Generator::next(Task& task) {
  if (assembled_.load()) return Next::kEnd;
  const std::int64_t under_way = drawn_ - taken_in_.load();
  if (drawn_ == total_ || under_way >= most_under_way()) return Next::kWait;
  if (streams()) {
    // All threads help with the first wave, so that the first sound comes early.
    if (drawn_ == channels_ && taken_in_.load() < channels_) return Next::kWait;
    if (pieces_out_.load() + under_way / channels_ >= most_pieces_ahead()) return Next::kWait;
  }
  return draw(task);
}

void Generator::ended(std::exception_ptr failure) noexcept {
  withdraw();
  parts_.reset();
  events_.ended(std::move(result_), std::move(failure));
}

void Generator::report_work(std::int64_t count) {
  if (events_.progress) events_.progress(done_.fetch_add(count) + count, total_work());
}

// One thread at a time assembles all waves that are complete up to here; other threads only store
// their wave and return.
void Generator::take_in(std::int64_t number, std::vector<float> wave) {
  std::unique_lock lock(mutex_);
  waves_.resize(std::max(waves_.size(), static_cast<std::size_t>(number - first_wave_ + 1)));
  waves_[static_cast<std::size_t>(number - first_wave_)] = std::move(wave);
  if (assembling_) return;
  assembling_ = true;
  while (static_cast<std::int64_t>(waves_.size()) >= channels_ &&
         std::none_of(waves_.begin(), waves_.begin() + channels_,
                      [](const auto& there) { return there.empty(); })) {
    Channels waves;
    for (std::int64_t c = 0; c < channels_; ++c) {
      waves.push_back(std::move(waves_.front()));
      waves_.pop_front();
    }
    first_wave_ += channels_;
    lock.unlock();
    assemble(waves, first_wave_ == total_);
    taken_in_.fetch_add(channels_);
    lock.lock();
  }
  assembling_ = false;
}

void Generator::assemble(const Channels& waves, bool last) {
  // A long wave goes on in stretches, so that its pieces stay short.
  const std::size_t length = waves[0].size();
  const auto stretch = static_cast<std::size_t>(
      kStretchSeconds * std::max<std::int64_t>(1, rate_of(parts_->instrument)));
  for (std::size_t at = 0; at < length; at += stretch) {
    cancel().throw_if_cancelled();
    const std::size_t end = std::min(length, at + stretch);
    const bool is_last = last && end == length;
    Channels part;
    for (const std::vector<float>& wave : waves)
      part.emplace_back(wave.begin() + static_cast<std::ptrdiff_t>(at),
                        wave.begin() + static_cast<std::ptrdiff_t>(end));
    Channels piece = parts_->assembly.append(part, is_last);
    if (parts_->delivery) piece = parts_->delivery->process(std::move(piece), is_last);
    if (streams()) {
      give(piece);
    } else {
      if (result_.audio.empty()) {
        const AudioFormat format = audio_format(parts_->instrument, options_);
        result_.audio.resize(piece.size());
        for (std::vector<float>& channel : result_.audio)
          channel.reserve(memory_size(
              parts_->delivery ? format.frames : assembled_samples(parts_->instrument, options_)));
      }
      for (std::size_t c = 0; c < piece.size(); ++c)
        result_.audio[c].insert(result_.audio[c].end(), piece[c].begin(), piece[c].end());
    }
  }
  if (!last) return;
  if (!streams()) finish();
  assembled_.store(true);
}

void Generator::give(const Channels& piece) {
  if (piece[0].empty()) return;
  std::vector<float> interleaved(piece[0].size() * piece.size());
  for (std::size_t c = 0; c < piece.size(); ++c)
    for (std::size_t i = 0; i < piece[c].size(); ++i)
      interleaved[i * piece.size() + c] = piece[c][i];
  pieces_out_.fetch_add(1);
  events_.piece(std::move(interleaved));
}

// The steps that need the whole sound.
void Generator::finish() {
  const AudioFormat format = audio_format(parts_->instrument, options_);
  const std::int64_t from = rate_of(parts_->instrument), to = format.sample_rate;
  result_.sample_rate = to;
  if (loudness_of(parts_->instrument, options_) == Loudness::kPeak) {
    scale_to_peak(result_.audio, peak_of(result_.audio));
    if (from != to) resample_all(from, to);
  }
  result_.quality = measure_quality(result_.audio, to);
  for (std::vector<float>& channel : result_.audio)
    channel.resize(std::min(channel.size(), memory_size(format.frames)));
}

void Generator::resample_all(std::int64_t from, std::int64_t to) {
  const Resampler table(from, to, parts_->instrument.program.resampling);
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

}  // namespace sda::engine
