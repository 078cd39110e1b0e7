#include "engine/vocoder/local_synthesis.h"

#include <algorithm>

#include "engine/float_tensor.h"
#include "engine/spectrum/spectrogram.h"
#include "engine/threads/parallel.h"
#include "engine/threads/scheduler.h"

namespace sda::engine {

namespace {

// Each window computes a little of its neighbours, too.
constexpr std::int64_t kSmallestWindow = 16;

}  // namespace

std::int64_t shared_window(const LocalSynthesis& synthesis, std::int64_t frames) {
  if (!synthesis.shares_windows()) return synthesis.window_frames();
  const auto threads = static_cast<std::int64_t>(Scheduler::shared().settings().threads);
  return std::clamp((frames + threads - 1) / threads, kSmallestWindow,
                    std::max(kSmallestWindow, synthesis.window_frames()));
}

FloatTensor render_all(const LocalSynthesis& synthesis, const FloatTensor& mel,
                       const CancelToken& cancel) {
  if (mel.shape.size() != 4 || mel.shape[1] * mel.shape[2] != synthesis.rows())
    bad_argument("mel", "mel must have " + std::to_string(synthesis.rows()) +
                            " rows of frames, found " + shape_text(mel.shape));
  check_shape(mel, {-1, mel.shape[1], mel.shape[2], -1}, "mel");
  const std::int64_t items = mel.shape[0], frames = mel.shape[3];
  const std::int64_t samples = synthesis.samples(frames);
  if (samples < 1) bad_argument("mel", "mel has too few frames to make a sound");
  check_mel_values(mel);
  FloatTensor prepared = make_tensor(mel.shape);
  std::copy_n(mel.data.get(), mel.numel(), prepared.data.get());
  FloatTensor wave = make_tensor({items, 1, samples});
  const std::int64_t window = shared_window(synthesis, frames);
  const std::int64_t windows = (frames + window - 1) / window;
  for (std::int64_t item = 0; item < items; ++item) {
    std::vector<double> state;
    synthesis.prepare(prepared.data.get() + item * synthesis.rows() * frames, frames, frames,
                      state);
  }
  parallel_for(items * windows, [&](std::int64_t i) {
    cancel.throw_if_cancelled();
    const std::int64_t item = i / windows, begin = i % windows * window;
    const float* const data = prepared.data.get() + item * synthesis.rows() * frames;
    synthesis.render({data, frames, 0, frames, frames}, begin, std::min(frames, begin + window),
                     wave.data.get() + item * samples + begin * synthesis.hop_length());
  });
  return wave;
}

}  // namespace sda::engine
