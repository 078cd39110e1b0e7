#include "engine/spectrum/griffin_lim.h"

#include <algorithm>
#include <complex>
#include <memory>
#include <utility>

#include "engine/float_tensor.h"
#include "engine/kernels.h"
#include "engine/spectrum/lane_griffin_lim.h"
#include "engine/threads/parallel.h"

namespace sda::engine {
namespace {

// One piece of overlap-adding makes this many samples. They and their parts of four frames fit into
// the first-level cache.
constexpr std::int64_t kBlock = 1024;

using Complex = std::complex<float>;

// Windowed frames as rows of n_fft samples, and the wave that is their sum.
class Frames {
 public:
  Frames(const Stft& stft, std::int64_t items, std::int64_t frames)
      : stft_(stft),
        items_(items),
        frames_(frames),
        samples_(stft.samples(frames)),
        envelope_(stft.envelope(frames)),
        rows_(aligned_floats(items * frames * stft.n_fft())),
        wave_(make_tensor({items, samples_})) {}

  std::int64_t items() const { return items_; }
  std::int64_t frames() const { return frames_; }
  std::int64_t samples() const { return samples_; }
  float* row(std::int64_t item, std::int64_t frame) const {
    return rows_.get() + (item * frames_ + frame) * stft_.n_fft();
  }
  float* wave(std::int64_t item) const { return wave_.data.get() + item * samples_; }
  const FloatTensor& waves() const { return wave_; }

  void join() const {
    const std::int64_t blocks = (samples_ + kBlock - 1) / kBlock;
    parallel_for(items_ * blocks, [&](std::int64_t piece) {
      const std::int64_t item = piece / blocks;
      const std::int64_t begin = piece % blocks * kBlock;
      const std::int64_t end = std::min(samples_, begin + kBlock);
      float* out = wave(item) + begin;
      stft_.overlap_add(row(item, 0), frames_, begin, end, out);
      kernels::divide(out, envelope_.data() + begin, out, end - begin);
    });
  }

 private:
  const Stft& stft_;
  std::int64_t items_, frames_, samples_;
  std::vector<float> envelope_;
  std::shared_ptr<float[]> rows_;  // [B · frames, n_fft]
  FloatTensor wave_;               // [B, samples]
};

constexpr auto kMomentum = static_cast<float>(kGriffinLimMomentum / (1.0 + kGriffinLimMomentum));

// Griffin-Lim for windows of any size, frame by frame.
class Reconstruction {
 public:
  Reconstruction(const Stft& stft, const FloatTensor& magnitude, const FloatTensor& phase)
      : stft_(stft),
        frames_(stft, magnitude.shape[0], magnitude.shape[2]),
        magnitude_(aligned_floats(magnitude.numel())) {
    const std::int64_t rows = frames_.items() * frames_.frames(), stride = stft.bin_stride();
    for (auto& spectrum : spectra_) spectrum = aligned_floats(2 * rows * stride);
    std::fill_n(spectrum(0), rows * stride, Complex{});
    // The phases were drawn bin by bin; the spectra are stored frame by frame.
    const auto* const phases = reinterpret_cast<const Complex*>(phase.data.get());
    parallel_for(rows, [&](std::int64_t row) {
      const std::int64_t item = row / frames_.frames(), frame = row % frames_.frames();
      for (std::int64_t k = 0; k < stft.bins(); ++k) {
        const std::int64_t from = (item * stft.bins() + k) * frames_.frames() + frame;
        magnitude_[row * stft.bins() + k] = magnitude.data[from];
        spectrum(1)[row * stride + k] = phases[from];
      }
    });
  }

  FloatTensor run(int iterations, const CancelToken& cancel,
                  const std::function<void()>& iterated) {
    const std::int64_t rows = frames_.items() * frames_.frames();
    const float* const magnitude = magnitude_.get();
    Complex* previous = spectrum(0);
    Complex* rebuilt = spectrum(1);
    parallel_for(rows, [&](std::int64_t row) {
      Complex* bins = rebuilt + row * stft_.bin_stride();
      kernels::scale_spectrum(magnitude + row * stft_.bins(), bins, stft_.bins());
      synthesise(bins, row);
    });
    for (int i = 0; i < iterations; ++i) {
      cancel.throw_if_cancelled();
      frames_.join();
      parallel_for(rows, [&](std::int64_t row) {
        const std::int64_t offset = row * stft_.bin_stride();
        float* const frame = frames_.row(0, row);
        stft_.take_frame(frames_.wave(row / frames_.frames()), frames_.samples(),
                         row % frames_.frames(), frame);
        stft_.fft().forward(frame, rebuilt + offset);
        kernels::advance_phase(rebuilt + offset, previous + offset, magnitude + row * stft_.bins(),
                               kMomentum, stft_.bins());
        synthesise(previous + offset, row);
      });
      // The rebuilt spectrum is the next iteration's previous one; the other is no longer needed.
      std::swap(previous, rebuilt);
      if (iterated) iterated();
    }
    frames_.join();
    return frames_.waves();
  }

 private:
  Complex* spectrum(int i) const { return reinterpret_cast<Complex*>(spectra_[i].get()); }

  void synthesise(const Complex* bins, std::int64_t row) const {
    float* const frame = frames_.row(0, row);
    stft_.fft().inverse(bins, frame);
    kernels::multiply(frame, stft_.window().data(), frame, stft_.n_fft());
  }

  const Stft& stft_;
  Frames frames_;
  std::shared_ptr<float[]> magnitude_;   // [B, frames, bins]
  std::shared_ptr<float[]> spectra_[2];  // [B · frames, bin_stride], complex
};

}  // namespace

FloatTensor griffin_lim(const Stft& stft, const FloatTensor& magnitude, const FloatTensor& phase,
                        int iterations, const CancelToken& cancel,
                        const std::function<void()>& iterated) {
  if (fits_lanes(stft))
    return lane_griffin_lim(stft, magnitude, phase, iterations, cancel, iterated);
  return Reconstruction(stft, magnitude, phase).run(iterations, cancel, iterated);
}

}  // namespace sda::engine
