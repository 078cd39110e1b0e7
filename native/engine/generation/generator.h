// What all ways of generating sound share: waves are made in parallel and in any order, then put
// together in order, finished, and delivered whole or in pieces.
#pragma once

#include <atomic>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/generation/finishing.h"
#include "engine/generation/generation.h"
#include "engine/spectrum/spectrogram.h"

namespace sda::engine {

// Waves are numbered in the order in which they are drawn. With two generated channels: left,
// right, left, …
class Generator : public GenerationRequest {
 public:
  Generator(Instrument instrument, const GenerateOptions& options,
            std::shared_ptr<CancelToken> cancel, GenerationEvents events,
            std::shared_ptr<const void> owner, std::int64_t waves_per_channel);

  void piece_taken() override;
  // Called once, before the request starts.
  virtual void offer() {}

 protected:
  // Latents that are decoded together, so that the weights are read once for all of them: the later
  // latents of one request, or the first latents of several requests.
  static constexpr std::int64_t kDecodedTogether = 8;

  Next next(Task& task) override;
  void ended(std::exception_ptr failure) noexcept override;

  // Draws the next wave, or the next few, and raises drawn_. Called by one thread at a time.
  virtual Next draw(Task& task) = 0;
  // Waves that may be under way at once.
  virtual std::int64_t most_under_way() const;
  // Called when the request ends.
  virtual void withdraw() noexcept {}

  // Valid until the request ends.
  const Instrument& instrument() const { return parts_->instrument; }
  bool has_ended() const { return !parts_; }
  // Spectrogram::create makes no other type than this.
  const SpectrogramImpl& spectra() const {
    return static_cast<const SpectrogramImpl&>(*instrument().spectrogram);
  }
  const SpectrogramConfig& config() const { return instrument().spectrogram->config(); }
  bool on_cpu() const { return spectra().on_cpu(); }
  bool streams() const { return events_.piece != nullptr; }
  static std::int64_t threads();
  std::uint64_t seed_of(std::int64_t channel) const {
    return options_.seed + static_cast<std::uint64_t>(channel);
  }

  // Takes a wave, from any thread and in any order.
  void take_in(std::int64_t number, std::vector<float> wave);
  // Reports `count` more units of work, from any thread. Of so many in all: total_work().
  void report_work(std::int64_t count = 1);
  virtual std::int64_t total_work() const { return total_; }

  const GenerateOptions options_;
  const std::int64_t channels_;  // number of generated channels
  const std::int64_t total_;     // waves of all channels
  std::int64_t drawn_ = 0;       // waves

 private:
  // The model and what belongs to it; released when the request ends.
  struct Parts {
    Parts(Instrument the_instrument, const GenerateOptions& options,
          std::shared_ptr<const void> the_owner);
    std::shared_ptr<const void> owner;
    Instrument instrument;
    Assembly assembly;
    std::optional<Delivery> delivery;
  };

  std::int64_t most_pieces_ahead() const;
  void assemble(const Channels& waves, bool last);
  void give(const Channels& piece);
  void finish();
  void resample_all(std::int64_t from, std::int64_t to);

  std::optional<Parts> parts_;
  GenerationEvents events_;
  std::atomic<std::int64_t> done_{0};
  std::atomic<std::int64_t> taken_in_{0};    // waves that are assembled
  std::atomic<std::int64_t> pieces_out_{0};  // pieces that are given and not yet taken
  std::atomic<bool> assembled_{false};

  std::mutex mutex_;                      // guards the next three members
  std::deque<std::vector<float>> waves_;  // from first_wave_ on; empty if not done yet
  std::int64_t first_wave_ = 0;
  bool assembling_ = false;

  Generation result_;  // written by the thread that assembles
};

// Throws kSchema if a decoded mel holds values that are not numbers.
void check_finite(const FloatTensor& mel);
bool is_finite(const FloatTensor& mel);

// The requests of each Synthesis; see there.
std::shared_ptr<Generator> make_chunk_generator(Instrument instrument,
                                                const GenerateOptions& options,
                                                std::shared_ptr<CancelToken> cancel,
                                                GenerationEvents events,
                                                std::shared_ptr<const void> owner);
std::shared_ptr<Generator> make_mel_generator(Instrument instrument, const GenerateOptions& options,
                                              std::shared_ptr<CancelToken> cancel,
                                              GenerationEvents events,
                                              std::shared_ptr<const void> owner);
std::shared_ptr<Generator> make_code_generator(Instrument instrument,
                                               const GenerateOptions& options,
                                               std::shared_ptr<CancelToken> cancel,
                                               GenerationEvents events,
                                               std::shared_ptr<const void> owner);

}  // namespace sda::engine
