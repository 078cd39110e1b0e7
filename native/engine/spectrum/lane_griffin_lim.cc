#include "engine/spectrum/lane_griffin_lim.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "engine/float_tensor.h"
#include "engine/kernels.h"
#include "engine/spectrum/griffin_lim.h"
#include "engine/spectrum/lane_fft.h"
#include "engine/threads/parallel.h"

namespace sda::engine {
namespace {

constexpr std::int64_t kAlignment = 64;  // bytes
constexpr std::int64_t kPad = kAlignment / sizeof(float);
constexpr auto kMomentum = static_cast<float>(kGriffinLimMomentum / (1.0 + kGriffinLimMomentum));

std::int64_t padded(std::int64_t floats) { return (floats + kPad - 1) / kPad * kPad; }

// A buffer of floats per thread, aligned to a cache line. It grows to the largest size asked for.
class Scratch {
 public:
  static float* get(std::int64_t floats) {
    static thread_local Scratch mine;
    if (floats > mine.size_) {
      operator delete[](mine.data_, std::align_val_t{kAlignment});
      mine.data_ = nullptr;
      mine.size_ = 0;
      mine.data_ = static_cast<float*>(operator new[](
          static_cast<std::size_t>(floats) * sizeof(float), std::align_val_t{kAlignment}));
      mine.size_ = floats;
    }
    return mine.data_;
  }
  ~Scratch() { operator delete[](data_, std::align_val_t{kAlignment}); }

 private:
  float* data_ = nullptr;
  std::int64_t size_ = 0;
};

// The wave, stored block by block. A block overlaps with the end of its predecessor's body. Its
// head holds its part of this overlap, one row per frame. Its body holds the sum of its frames over
// the samples that follow; its successor's head is not yet added to it.
struct Wave {
  FloatTensor bodies;  // [items · blocks, 8 · hop]
  FloatTensor heads;   // [items · blocks, lanes that reach into the head, head_stride]

  float* body(std::int64_t block) const { return bodies.data.get() + block * bodies.shape[1]; }
  float* head(std::int64_t block) const {
    return heads.data.get() + block * heads.shape[1] * head_stride();
  }
  std::int64_t head_stride() const { return heads.shape[2]; }
};

class LaneReconstruction {
 public:
  LaneReconstruction(const Stft& stft, const FloatTensor& magnitude, const FloatTensor& phase)
      : stft_(stft),
        fft_(*stft.lane_fft()),
        hop_(stft.hop()),
        head_(stft.n_fft() - stft.hop()),
        items_(magnitude.shape[0]),
        frames_(magnitude.shape[2]),
        samples_(stft.samples(frames_)),
        blocks_((frames_ + kLanes - 1) / kLanes),
        envelope_(stft.envelope(frames_)),
        magnitude_(make_tensor({items_ * blocks_, stft.bins(), kLanes})),
        previous_(make_tensor({items_ * blocks_, stft.bins(), 2, kLanes})) {
    const auto scale = 1.0F / static_cast<float>(stft.n_fft());
    for (const float weight : stft.window()) scaled_window_.push_back(weight * scale);  // exact
    const std::int64_t reaching = std::max<std::int64_t>(1, (head_ + hop_ - 1) / hop_);
    for (Wave& wave : waves_) {
      wave.bodies = make_tensor({items_ * blocks_, kLanes * hop_});
      wave.heads = make_tensor({items_ * blocks_, reaching, padded(head_)});
    }
    pack(magnitude, phase);
  }

  FloatTensor run(int iterations, const CancelToken& cancel,
                  const std::function<void()>& iterated) {
    each_block([&](std::int64_t block) {
      float* const rows = scratch_rows();
      for (const LaneFft::Group group : kGroups) {
        lanes::first_rows(fft_, group, previous(block), magnitude(block), rows);
        inverse_group(group, rows);
      }
      std::memset(previous(block), 0,
                  static_cast<std::size_t>(stft_.bins() * 2 * kLanes) * sizeof(float));
      add_up(rows, waves_[0], block);
    });
    for (int i = 0; i < iterations; ++i) {
      cancel.throw_if_cancelled();
      const Wave& from = waves_[i % 2];
      const Wave& to = waves_[(i + 1) % 2];
      each_block([&](std::int64_t block) {
        float* const rows = scratch_rows();
        analyse(from, block, rows);
        for (const LaneFft::Group group : kGroups) {
          forward_group(group, rows);
          lanes::advance(fft_, group, magnitude(block), kMomentum, previous(block), rows);
          inverse_group(group, rows);
        }
        add_up(rows, to, block);
      });
      if (iterated) iterated();
    }
    return whole(waves_[iterations % 2]);
  }

 private:
  static constexpr LaneFft::Group kGroups[] = {LaneFft::kZero, LaneFft::kTwo,
                                               LaneFft::kOneAndThree};

  template <typename Work>
  void each_block(const Work& work) const {
    parallel_for(items_ * blocks_, work);
  }

  // The layout of a thread's scratch buffer: the rows; a segment of the wave, with kPad samples
  // before it; a silent frame.
  std::int64_t row_floats() const { return stft_.n_fft() * kLanes; }
  std::int64_t segment_samples() const { return (kLanes - 1) * hop_ + stft_.n_fft(); }
  float* scratch_rows() const {
    return Scratch::get(row_floats() + kPad + padded(segment_samples()) + stft_.n_fft());
  }
  float* segment_in(float* rows) const { return rows + row_floats() + kPad; }
  float* silence_in(float* rows) const { return segment_in(rows) + padded(segment_samples()); }

  // Reorders both from [bin][frame] to blocks of kLanes frames; missing frames become silent.
  void pack(const FloatTensor& magnitude, const FloatTensor& phase) const {
    const float* const loud = magnitude.data.get();
    const float* const turned = phase.data.get();
    each_block([&](std::int64_t block) {
      const std::int64_t first = block % blocks_ * kLanes;
      const std::int64_t count = std::min(kLanes, frames_ - first);
      for (std::int64_t k = 0; k < stft_.bins(); ++k) {
        const std::int64_t from = (block / blocks_ * stft_.bins() + k) * frames_ + first;
        const std::int64_t place = k < fft_.half() ? fft_.place(k) : k;
        float* const to = this->magnitude(block) + place * kLanes;
        float* const start = previous(block) + place * 2 * kLanes;
        for (std::int64_t lane = 0; lane < kLanes; ++lane) {
          const bool there = lane < count;
          to[lane] = there ? loud[from + lane] : 0.0F;
          start[lane] = there ? turned[2 * (from + lane)] : 0.0F;
          start[kLanes + lane] = there ? turned[2 * (from + lane) + 1] : 0.0F;
        }
      }
    });
  }

  void forward_group(LaneFft::Group group, float* rows) const {
    for (const int quarter : quarters(group)) fft_.forward_quarter(rows, quarter);
  }
  void inverse_group(LaneFft::Group group, float* rows) const {
    for (const int quarter : quarters(group)) fft_.inverse_quarter(rows, quarter);
  }
  static std::initializer_list<int> quarters(LaneFft::Group group) {
    static constexpr std::initializer_list<int> kZero = {0}, kTwo = {2}, kOneAndThree = {1, 3};
    return group == LaneFft::kZero ? kZero : group == LaneFft::kTwo ? kTwo : kOneAndThree;
  }

  // Takes rows before the last step of their inverse transform, and adds them up to the wave.
  void add_up(const float* rows, const Wave& wave, std::int64_t block) const {
    lanes::join_add(fft_, rows, scaled_window_.data(),
                    {hop_, head_, wave.head(block), wave.head_stride(), wave.body(block)});
  }

  // The sample of the wave at which a block's first frame begins.
  std::int64_t start_of(std::int64_t block) const {
    return block % blocks_ * kLanes * hop_ - stft_.n_fft() / 2;
  }

  void add_head(const Wave& wave, std::int64_t block, float* to) const {
    const float* frame = wave.head(block);
    for (std::int64_t begin = 0; begin < head_; begin += hop_, frame += wave.head_stride())
      kernels::accumulate(frame + begin, to + begin, head_ - begin);
  }

  // Copies the complete wave under a block's frames to `segment`; and, where the block has a
  // predecessor, up to kPad samples before it.
  void take_segment(const Wave& wave, std::int64_t block, float* segment) const {
    const std::int64_t own = kLanes * hop_, total = segment_samples();
    if (block % blocks_ > 0) {
      // The predecessor's body ends with the samples of this block's head. Before these it is
      // complete.
      const std::int64_t before = std::min(kPad, own - head_);
      const float* const end = wave.body(block - 1) + own;
      std::copy(end - head_ - before, end, segment - before);
    } else {
      std::fill_n(segment, head_, 0.0F);
    }
    add_head(wave, block, segment);
    std::copy_n(wave.body(block), own, segment + head_);
    if (block % blocks_ + 1 < blocks_) add_head(wave, block + 1, segment + own);
    const std::int64_t start = start_of(block);
    const std::int64_t first = start < 0 ? -start : -std::min(kPad, start);
    const std::int64_t last = std::min(total, samples_ - start);
    if (first < last)
      kernels::divide(segment + first, envelope_.data() + start + first, segment + first,
                      last - first);
  }

  void analyse(const Wave& wave, std::int64_t block, float* rows) const {
    float* const segment = segment_in(rows);
    take_segment(wave, block, segment);
    const std::int64_t start = start_of(block), size = stft_.n_fft();
    const std::int64_t count = std::min(kLanes, frames_ - block % blocks_ * kLanes);
    for (std::int64_t i = 0; i < -start; ++i) segment[i] = segment[-2 * start - i];
    const std::int64_t end = (count - 1) * hop_ + size;
    for (std::int64_t i = samples_ - start; i < end; ++i)
      segment[i] = segment[2 * (samples_ - 1 - start) - i];

    float* const silence = silence_in(rows);
    if (count < kLanes) std::fill_n(silence, size, 0.0F);
    const float* frames[kLanes];
    for (std::int64_t lane = 0; lane < kLanes; ++lane)
      frames[lane] = lane < count ? segment + lane * hop_ : silence;
    lanes::gather_split(fft_, frames, stft_.half_window().data(), rows);
  }

  FloatTensor whole(const Wave& wave) const {
    FloatTensor result = make_tensor({items_, samples_});
    float* const out = result.data.get();
    each_block([&](std::int64_t block) {
      float* const segment = segment_in(scratch_rows());
      take_segment(wave, block, segment);
      const std::int64_t start = start_of(block);
      const std::int64_t first = block % blocks_ == 0 ? -start : head_;
      const std::int64_t last = std::min(segment_samples(), samples_ - start);
      if (first < last)
        std::copy(segment + first, segment + last,
                  out + block / blocks_ * samples_ + start + first);
    });
    return result;
  }

  float* magnitude(std::int64_t block) const {
    return magnitude_.data.get() + block * stft_.bins() * kLanes;
  }
  float* previous(std::int64_t block) const {
    return previous_.data.get() + block * stft_.bins() * 2 * kLanes;
  }

  const Stft& stft_;
  const LaneFft& fft_;
  const std::int64_t hop_, head_;
  const std::int64_t items_, frames_, samples_;
  const std::int64_t blocks_;  // per item
  const std::vector<float> envelope_;
  std::vector<float> scaled_window_;
  FloatTensor magnitude_;  // [items · blocks, bins, kLanes]
  FloatTensor previous_;   // [items · blocks, bins, 2, kLanes]: real parts, imaginary parts
  Wave waves_[2];          // iterations read one and write the other, in turn
};

}  // namespace

bool fits_lanes(const Stft& stft) {
  return stft.lane_fft() && stft.n_fft() - stft.hop() < kLanes * stft.hop();
}

FloatTensor lane_griffin_lim(const Stft& stft, const FloatTensor& magnitude,
                             const FloatTensor& phase, int iterations, const CancelToken& cancel,
                             const std::function<void()>& iterated) {
  return LaneReconstruction(stft, magnitude, phase).run(iterations, cancel, iterated);
}

}  // namespace sda::engine
