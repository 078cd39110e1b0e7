#include "engine/griffin_lim.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <utility>

#include "engine/kernels.h"

namespace sda::engine {
namespace {

// Samples of the wave that one piece of overlap-adding yields: with its parts of four frames it
// stays in the first-level cache.
constexpr std::int64_t kBlock = 1024;

using Complex = std::complex<float>;

class Reconstruction {
 public:
  Reconstruction(const Stft& stft, const at::Tensor& magnitude, const at::Tensor& phase)
      : stft_(stft),
        items_(magnitude.size(0)),
        frames_(magnitude.size(1)),
        samples_(stft.samples(frames_)),
        envelope_(stft.envelope(frames_)),
        magnitude_(magnitude.const_data_ptr<float>()) {
    rows_ = at::empty({items_ * frames_, stft.n_fft()}, at::kFloat);
    wave_ = at::empty({items_, samples_}, at::kFloat);
    for (at::Tensor& spectrum : spectra_) {
      spectrum = at::empty({items_ * frames_, stft.bin_stride()}, at::kComplexFloat);
    }
    spectra_[0].zero_();
    // Bin-major as it was drawn, frame-major from here on.
    spectra_[1]
        .narrow(1, 0, stft.bins())
        .view({items_, frames_, stft.bins()})
        .copy_(phase.transpose(1, 2));
  }

  at::Tensor run(const CancelToken& cancel) {
    const auto momentum = static_cast<float>(kGriffinLimMomentum / (1.0 + kGriffinLimMomentum));
    Complex* previous = spectrum(0);
    Complex* rebuilt = spectrum(1);
    each_frame([&](std::int64_t row) {
      Complex* bins = rebuilt + row * stft_.bin_stride();
      kernels::scale_spectrum(magnitude_ + row * stft_.bins(), bins, stft_.bins());
      synthesise(bins, row);
    });
    for (int i = 0; i < kGriffinLimIterations; ++i) {
      cancel.throw_if_cancelled();
      join_frames();
      each_frame([&](std::int64_t row) {
        const std::int64_t offset = row * stft_.bin_stride();
        float* frame = rows() + row * stft_.n_fft();
        stft_.take_frame(wave() + row / frames_ * samples_, samples_, row % frames_, frame);
        stft_.fft().forward(frame, rebuilt + offset);
        kernels::advance_phase(rebuilt + offset, previous + offset, magnitude_ + row * stft_.bins(),
                               momentum, stft_.bins());
        synthesise(previous + offset, row);
      });
      // What was rebuilt is the next round's past; the synthesised spectrum is used up.
      std::swap(previous, rebuilt);
    }
    join_frames();
    return wave_;
  }

 private:
  float* rows() const { return rows_.data_ptr<float>(); }
  float* wave() const { return wave_.data_ptr<float>(); }
  Complex* spectrum(int i) const {
    return reinterpret_cast<Complex*>(spectra_[i].data_ptr<c10::complex<float>>());
  }

  template <typename Work>
  void each_frame(const Work& work) {
    at::parallel_for(0, items_ * frames_, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) work(row);
    });
  }

  void synthesise(const Complex* bins, std::int64_t row) {
    float* frame = rows() + row * stft_.n_fft();
    stft_.fft().inverse(bins, frame);
    kernels::multiply(frame, stft_.window().data(), frame, stft_.n_fft());
  }

  void join_frames() {
    const std::int64_t blocks = (samples_ + kBlock - 1) / kBlock;
    at::parallel_for(0, items_ * blocks, 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t piece = first; piece < last; ++piece) {
        const std::int64_t item = piece / blocks;
        const std::int64_t begin = piece % blocks * kBlock;
        const std::int64_t end = std::min(samples_, begin + kBlock);
        float* out = wave() + item * samples_ + begin;
        stft_.overlap_add(rows() + item * frames_ * stft_.n_fft(), frames_, begin, end, out);
        kernels::divide(out, envelope_.data() + begin, out, end - begin);
      }
    });
  }

  const Stft& stft_;
  std::int64_t items_;
  std::int64_t frames_;
  std::int64_t samples_;
  std::vector<float> envelope_;
  const float* magnitude_;
  at::Tensor rows_;        // [B · frames, n_fft]: windowed frames
  at::Tensor wave_;        // [B, samples]
  at::Tensor spectra_[2];  // [B · frames, bin_stride]
};

}  // namespace

at::Tensor griffin_lim(const Stft& stft, const at::Tensor& magnitude, const at::Tensor& phase,
                       const CancelToken& cancel) {
  return Reconstruction(stft, magnitude, phase).run(cancel);
}

}  // namespace sda::engine
