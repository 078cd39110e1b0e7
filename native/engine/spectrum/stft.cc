#include "engine/spectrum/stft.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "checkpoint/error.h"
#include "checkpoint/memory_size.h"
#include "engine/kernels.h"

namespace sda::engine {
namespace {

// torch.istft refuses a window envelope below this value.
constexpr float kSmallestEnvelope = 1e-11F;

}  // namespace

Stft::Stft(std::int64_t n_fft, std::int64_t hop_length) : fft_(n_fft), hop_(hop_length) {
  // torch.hann_window, with its roundings to float32.
  const auto turn = static_cast<float>(2.0 * std::numbers::pi / static_cast<double>(n_fft));
  for (std::int64_t i = 0; i < n_fft; ++i) {
    const float angle = static_cast<float>(i) * turn;
    const auto cosine = static_cast<float>(std::cos(double{angle}));
    window_.push_back(cosine * -0.5F + 0.5F);
  }
  for (const float weight : window_) half_window_.push_back(weight * 0.5F);  // exact
  if (LaneFft::fits(n_fft)) lane_fft_.emplace(n_fft);
}

void Stft::check_reflection(std::int64_t samples) const {
  if (samples > n_fft() / 2) return;
  throw Error(ErrorCode::kArgument, "too short: " + std::to_string(samples) +
                                        " samples; windows of " + std::to_string(n_fft()) +
                                        " need at least " + std::to_string(n_fft() / 2 + 1));
}

const float* Stft::frame_of(const float* wave, std::int64_t samples, std::int64_t index,
                            float* space) const {
  const std::int64_t size = n_fft();
  const std::int64_t start = index * hop_ - size / 2;
  if (start >= 0 && start + size <= samples) return wave + start;
  const std::int64_t inside_begin = std::clamp<std::int64_t>(-start, 0, size);
  const std::int64_t inside_end = std::clamp<std::int64_t>(samples - start, inside_begin, size);
  for (std::int64_t i = 0; i < inside_begin; ++i) space[i] = wave[-(start + i)];
  std::copy(wave + start + inside_begin, wave + start + inside_end, space + inside_begin);
  for (std::int64_t i = inside_end; i < size; ++i) space[i] = wave[2 * (samples - 1) - (start + i)];
  return space;
}

void Stft::take_frame(const float* wave, std::int64_t samples, std::int64_t index,
                      float* out) const {
  const float* const frame = frame_of(wave, samples, index, out);
  kernels::multiply(frame, window_.data(), out, n_fft());
}

void Stft::overlap_add(const float* rows, std::int64_t frames, std::int64_t begin, std::int64_t end,
                       float* out) const {
  const std::int64_t size = n_fft();
  const std::int64_t half = size / 2;
  std::fill(out, out + (end - begin), 0.0F);
  // Frame f covers [f·hop − half, f·hop − half + size).
  const std::int64_t past = begin + half - size;
  const std::int64_t first = past < 0 ? 0 : past / hop_ + 1;
  const std::int64_t last = std::min(frames - 1, (end - 1 + half) / hop_);
  for (std::int64_t f = first; f <= last; ++f) {
    const std::int64_t start = f * hop_ - half;
    const std::int64_t from = std::max(begin, start);
    const std::int64_t to = std::min(end, start + size);
    if (from < to) {
      kernels::accumulate(rows + f * size + (from - start), out + (from - begin), to - from);
    }
  }
}

std::vector<float> Stft::envelope(std::int64_t frames) const {
  const std::int64_t size = n_fft();
  const std::int64_t count = samples(frames);
  std::vector<float> squared(memory_size(size));
  kernels::multiply(window_.data(), window_.data(), squared.data(), size);
  std::vector<float> sum(memory_size(count), 0.0F);
  for (std::int64_t f = 0; f < frames; ++f) {
    const std::int64_t start = f * hop_ - size / 2;
    const std::int64_t from = std::max<std::int64_t>(0, start);
    const std::int64_t to = std::min(count, start + size);
    if (from < to) {
      kernels::accumulate(squared.data() + (from - start), sum.data() + from, to - from);
    }
  }
  for (float value : sum) {
    if (value <= kSmallestEnvelope) {
      throw Error(ErrorCode::kArgument, "hop_length " + std::to_string(hop_) +
                                            " is too long for windows of " + std::to_string(size) +
                                            ": the inverse transform would have gaps")
          .with("option", "hop_length");
    }
  }
  return sum;
}

}  // namespace sda::engine
