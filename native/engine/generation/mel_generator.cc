// Synthesis::kOverlapAdd: one mel for the whole sound, and one pass from the mel to the sound: by
// Griffin-Lim at once, or by a local method window by window.
#include <algorithm>
#include <utility>

#include "engine/config.h"
#include "engine/float_tensor.h"
#include "engine/generation/generate_options.h"
#include "engine/generation/generator.h"
#include "engine/generation/overlap_path.h"
#include "engine/threads/parallel.h"

namespace sda::engine {
namespace {

// Cuts the frames that sound into windows. They do not depend on the number of threads or on
// whether the sound is streamed: Loudness::kRunning takes them as its pieces.
class Windows {
 public:
  Windows(const Instrument& instrument, const OverlapShape& shape) {
    if (!instrument.synthesis) return;
    const LocalSynthesis& synthesis = *instrument.synthesis;
    frames_ = synthesis.samples(shape.frames) / synthesis.hop_length();
    each_ = synthesis.window_frames();
  }

  std::int64_t count() const { return frames_ == 0 ? 1 : (frames_ + each_ - 1) / each_; }
  std::int64_t begin(std::int64_t window) const { return window * each_; }
  std::int64_t end(std::int64_t window) const { return std::min(frames_, begin(window + 1)); }

 private:
  std::int64_t frames_ = 0, each_ = 1;
};

class MelGenerator final : public Generator {
 public:
  MelGenerator(Instrument instrument, const GenerateOptions& options,
               std::shared_ptr<CancelToken> cancel, GenerationEvents events,
               std::shared_ptr<const void> owner, const OverlapShape& shape, const Windows& windows)
      : Generator(std::move(instrument), options, std::move(cancel), std::move(events),
                  std::move(owner), windows.count()),
        shape_(shape),
        windows_(windows) {}

 protected:
  Next draw(Task& task) override {
    return instrument().synthesis ? draw_window(task) : draw_whole(task);
  }

  std::int64_t total_work() const override {
    return instrument().synthesis ? total_ : channels_ * (shape_.steps + spectra().iterations());
  }

 private:
  struct Channel {
    TorchRandom random;
    OverlapMel mel;
  };

  Channel make_channel(std::int64_t channel) const {
    const Instrument& parts = instrument();
    TorchRandom random(seed_of(channel));
    std::vector<Latent> path =
        overlap_path(options_, shape_.steps, parts.model->latent_dim(), random);
    return {std::move(random),
            OverlapMel(parts.model, parts.synthesis, shape_, std::move(path), config().n_mels)};
  }

  Next draw_window(Task& task) {
    while (static_cast<std::int64_t>(made_.size()) < channels_)
      made_.push_back(make_channel(static_cast<std::int64_t>(made_.size())));
    const std::int64_t number = drawn_, window = number / channels_;
    OverlapMel& mel = made_[static_cast<std::size_t>(number % channels_)].mel;
    const LocalSynthesis& synthesis = *instrument().synthesis;
    const std::int64_t begin = windows_.begin(window), end = windows_.end(window);
    // A stream decodes only what its first window needs.
    mel.advance(end + synthesis.context(), streams() && window == 0 ? 1 : kDecodedTogether,
                cancel());
    ++drawn_;
    task = [this, number, begin, end, whole = mel.mel()] {
      const LocalSynthesis& method = *instrument().synthesis;
      std::vector<float> wave(static_cast<std::size_t>((end - begin) * method.hop_length()));
      // Where there are more threads than windows, they share each window.
      const std::int64_t part =
          threads() > total_ ? shared_window(method, end - begin) : end - begin;
      parallel_for((end - begin + part - 1) / part, [&](std::int64_t i) {
        const std::int64_t from = begin + i * part, to = std::min(end, from + part);
        cancel().throw_if_cancelled();
        method.render({whole.data.get(), shape_.frames, 0, shape_.frames, shape_.frames}, from, to,
                      wave.data() + (from - begin) * method.hop_length());
      });
      report_work();
      take_in(number, std::move(wave));
    };
    return Next::kTask;
  }

  Next draw_whole(Task& task) {
    const std::int64_t number = drawn_++;
    task = [this, number] {
      Channel made = make_channel(number);
      while (const std::int64_t steps =
                 made.mel.advance(next_end(made), kDecodedTogether, cancel()))
        report_work(steps);
      FloatTensor phases = make_tensor({1, spectra().bins(), shape_.frames, 2});
      made.random.rand({phases.data.get(), static_cast<std::size_t>(phases.numel())});
      bool iterates = false;
      const FloatTensor wave = spectra().rebuild(made.mel.mel(), phases, cancel(), [&] {
        iterates = true;
        report_work();
      });
      if (!iterates) report_work(spectra().iterations());  // on another device
      take_in(number, {wave.data.get(), wave.data.get() + wave.numel()});
    };
    return Next::kTask;
  }

  // The end of the next steps that are decoded together.
  std::int64_t next_end(const Channel& made) const {
    return std::min(shape_.frames, made.mel.settled() + 1);
  }

  const OverlapShape shape_;
  const Windows windows_;
  std::vector<Channel> made_;  // of the windows
};

}  // namespace

std::shared_ptr<Generator> make_mel_generator(Instrument instrument, const GenerateOptions& options,
                                              std::shared_ptr<CancelToken> cancel,
                                              GenerationEvents events,
                                              std::shared_ptr<const void> owner) {
  const OverlapShape shape(instrument.spectrogram->config(), options);
  const Windows windows(instrument, shape);
  return std::make_shared<MelGenerator>(std::move(instrument), options, std::move(cancel),
                                        std::move(events), std::move(owner), shape, windows);
}

}  // namespace sda::engine
