#include "engine/griffin_lim.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <utility>

#include "engine/kernels.h"
#include "engine/lane_fft.h"
#include "engine/parallel.h"

namespace sda::engine {
namespace {

// Samples of the wave that one piece of overlap-adding yields: with its parts of four frames it
// stays in the first-level cache.
constexpr std::int64_t kBlock = 1024;

using Complex = std::complex<float>;

// What both ways share: windowed frames as rows of n_fft, and the wave that they add up to.
class Frames {
 public:
  Frames(const Stft& stft, std::int64_t items, std::int64_t frames)
      : stft_(stft),
        items_(items),
        frames_(frames),
        samples_(stft.samples(frames)),
        envelope_(stft.envelope(frames)),
        rows_(at::empty({items * frames, stft.n_fft()}, at::kFloat)),
        wave_(at::empty({items, samples_}, at::kFloat)) {}

  std::int64_t items() const { return items_; }
  std::int64_t frames() const { return frames_; }
  std::int64_t samples() const { return samples_; }
  float* row(std::int64_t item, std::int64_t frame) const {
    return rows_.data_ptr<float>() + (item * frames_ + frame) * stft_.n_fft();
  }
  float* wave(std::int64_t item) const { return wave_.data_ptr<float>() + item * samples_; }
  const at::Tensor& waves() const { return wave_; }

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
  at::Tensor rows_;  // [B · frames, n_fft]
  at::Tensor wave_;  // [B, samples]
};

constexpr auto kMomentum = static_cast<float>(kGriffinLimMomentum / (1.0 + kGriffinLimMomentum));

// Windows of a power of two: eight frames at a time, which stay in the cache from analysis to
// synthesis.
class LaneReconstruction {
 public:
  LaneReconstruction(const Stft& stft, const LaneFft& fft, const at::Tensor& magnitude,
                     const at::Tensor& phase)
      : stft_(stft),
        fft_(fft),
        frames_(stft, magnitude.size(0), magnitude.size(2)),
        blocks_((frames_.frames() + kLanes - 1) / kLanes),
        magnitude_(at::empty({frames_.items() * blocks_, stft.bins(), kLanes}, at::kFloat)),
        previous_(at::empty({frames_.items() * blocks_, stft.bins(), 2, kLanes}, at::kFloat)) {
    const auto scale = 1.0F / static_cast<float>(stft.n_fft());
    for (const float weight : stft.window()) {
      half_window_.push_back(weight * 0.5F);  // both exact: powers of two
      scaled_window_.push_back(weight * scale);
    }
    pack(magnitude, phase);
  }

  at::Tensor run(const CancelToken& cancel) {
    each_block([&](std::int64_t block, const Scratch& scratch) {
      lanes::first_rows(fft_, previous(block), magnitude(block), scratch.row_data());
      synthesise(block, scratch);
    });
    previous_.zero_();
    for (int i = 0; i < kGriffinLimIterations; ++i) {
      cancel.throw_if_cancelled();
      frames_.join();
      each_block([&](std::int64_t block, const Scratch& scratch) {
        analyse(block, scratch);
        lanes::advance(fft_, magnitude(block), kMomentum, previous(block), scratch.row_data());
        synthesise(block, scratch);
      });
    }
    frames_.join();
    return frames_.waves();
  }

 private:
  struct Scratch {
    at::Tensor rows;   // [n_fft, kLanes]
    at::Tensor edges;  // [kLanes, n_fft]: frames that reach past the wave

    explicit Scratch(std::int64_t n_fft)
        : rows(at::empty({n_fft, kLanes}, at::kFloat)),
          edges(at::empty({kLanes, n_fft}, at::kFloat)) {}
    float* row_data() const { return rows.data_ptr<float>(); }
    float* edge(std::int64_t lane) const { return edges.data_ptr<float>() + lane * edges.size(1); }
  };

  // Blocks are spread over threads, which have their own space to work in.
  template <typename Work>
  void each_block(const Work& work) const {
    parallel_for(frames_.items() * blocks_, [&](std::int64_t block) {
      const Scratch scratch(stft_.n_fft());
      work(block, scratch);
    });
  }

  // Both come bin by bin; a block has kLanes frames of each bin, silent ones at the end.
  void pack(const at::Tensor& magnitude, const at::Tensor& phase) const {
    const std::int64_t frames = frames_.frames();
    const float* const loud = magnitude.const_data_ptr<float>();
    const auto* const turned =
        reinterpret_cast<const Complex*>(phase.const_data_ptr<c10::complex<float>>());
    parallel_for(frames_.items() * blocks_, [&](std::int64_t block) {
      const std::int64_t item = block / blocks_;
      const std::int64_t first = block % blocks_ * kLanes;
      const std::int64_t count = std::min(kLanes, frames - first);
      for (std::int64_t k = 0; k < stft_.bins(); ++k) {
        const std::int64_t from = (item * stft_.bins() + k) * frames + first;
        float* const to = this->magnitude(block) + k * kLanes;
        float* const start = previous(block) + k * 2 * kLanes;
        for (std::int64_t lane = 0; lane < kLanes; ++lane) {
          const bool there = lane < count;
          to[lane] = there ? loud[from + lane] : 0.0F;
          start[lane] = there ? turned[from + lane].real() : 0.0F;
          start[kLanes + lane] = there ? turned[from + lane].imag() : 0.0F;
        }
      }
    });
  }

  void analyse(std::int64_t block, const Scratch& scratch) const {
    const std::int64_t size = stft_.n_fft();
    const float* frames[kLanes];
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      float* const edge = scratch.edge(lane);
      const std::int64_t frame = block % blocks_ * kLanes + lane;
      frames[lane] = edge;
      if (frame < frames_.frames())
        frames[lane] =
            stft_.frame_of(frames_.wave(block / blocks_), frames_.samples(), frame, edge);
      else
        std::fill_n(edge, size, 0.0F);
    }
    lanes::gather(frames, half_window_.data(), scratch.row_data(), size);
    fft_.forward(scratch.row_data());
  }

  void synthesise(std::int64_t block, const Scratch& scratch) const {
    const std::int64_t size = stft_.n_fft();
    fft_.inverse(scratch.row_data());
    float* frames[kLanes];
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      const std::int64_t frame = block % blocks_ * kLanes + lane;
      frames[lane] =
          frame < frames_.frames() ? frames_.row(block / blocks_, frame) : scratch.edge(lane);
    }
    lanes::scatter(scratch.row_data(), scaled_window_.data(), frames, size);
  }

  float* magnitude(std::int64_t block) const {
    return magnitude_.data_ptr<float>() + block * stft_.bins() * kLanes;
  }
  float* previous(std::int64_t block) const {
    return previous_.data_ptr<float>() + block * stft_.bins() * 2 * kLanes;
  }

  const Stft& stft_;
  const LaneFft& fft_;
  Frames frames_;
  std::int64_t blocks_;  // of each item
  std::vector<float> half_window_, scaled_window_;
  at::Tensor magnitude_;  // [B · blocks, bins, kLanes]
  at::Tensor previous_;   // [B · blocks, bins, 2, kLanes]: real parts, imaginary parts
};

// Windows of any other size, frame by frame.
class Reconstruction {
 public:
  Reconstruction(const Stft& stft, const at::Tensor& magnitude, const at::Tensor& phase)
      : stft_(stft),
        frames_(stft, magnitude.size(0), magnitude.size(2)),
        magnitude_(magnitude.transpose(1, 2).contiguous()) {
    const std::int64_t rows = frames_.items() * frames_.frames();
    for (at::Tensor& spectrum : spectra_)
      spectrum = at::empty({rows, stft.bin_stride()}, at::kComplexFloat);
    spectra_[0].zero_();
    // Bin-major as it was drawn, frame-major from here on.
    spectra_[1]
        .narrow(1, 0, stft.bins())
        .view({frames_.items(), frames_.frames(), stft.bins()})
        .copy_(phase.transpose(1, 2));
  }

  at::Tensor run(const CancelToken& cancel) {
    const std::int64_t rows = frames_.items() * frames_.frames();
    const float* const magnitude = magnitude_.const_data_ptr<float>();
    Complex* previous = spectrum(0);
    Complex* rebuilt = spectrum(1);
    parallel_for(rows, [&](std::int64_t row) {
      Complex* bins = rebuilt + row * stft_.bin_stride();
      kernels::scale_spectrum(magnitude + row * stft_.bins(), bins, stft_.bins());
      synthesise(bins, row);
    });
    for (int i = 0; i < kGriffinLimIterations; ++i) {
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
      // What was rebuilt is the next round's past; the synthesised spectrum is used up.
      std::swap(previous, rebuilt);
    }
    frames_.join();
    return frames_.waves();
  }

 private:
  Complex* spectrum(int i) const {
    return reinterpret_cast<Complex*>(spectra_[i].data_ptr<c10::complex<float>>());
  }

  void synthesise(const Complex* bins, std::int64_t row) const {
    float* const frame = frames_.row(0, row);
    stft_.fft().inverse(bins, frame);
    kernels::multiply(frame, stft_.window().data(), frame, stft_.n_fft());
  }

  const Stft& stft_;
  Frames frames_;
  at::Tensor magnitude_;   // [B, frames, bins]
  at::Tensor spectra_[2];  // [B · frames, bin_stride]
};

}  // namespace

at::Tensor griffin_lim(const Stft& stft, const at::Tensor& magnitude, const at::Tensor& phase,
                       const CancelToken& cancel) {
  if (stft.lane_fft())
    return LaneReconstruction(stft, *stft.lane_fft(), magnitude, phase).run(cancel);
  return Reconstruction(stft, magnitude, phase).run(cancel);
}

}  // namespace sda::engine
