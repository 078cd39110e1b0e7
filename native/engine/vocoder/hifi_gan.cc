#include "engine/vocoder/hifi_gan.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>
#include <utility>

#include "checkpoint/error.h"
#include "engine/float_tensor.h"
#include "engine/kernels.h"

namespace sda::engine {
namespace {

constexpr float kSlope = kVocoderSlope;
constexpr std::int64_t kEndWidth = 7;  // taps of the first and the last convolution
// A tile's five buffers together take at most so many floats: most of a second-level cache.
constexpr std::int64_t kTileFloats = 120 * 1024;
constexpr std::int64_t kPad = 16;  // floats of a cache line

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}

// The inputs that samples [begin, end) of a transposed convolution need. Output t sums over inputs
// q, q − 1, … with q = ⌊(t + padding) / rate⌋.
std::pair<std::int64_t, std::int64_t> upsampled_from(std::int64_t begin, std::int64_t end,
                                                     std::int64_t rate, std::int64_t width) {
  const std::int64_t padding = (width - rate) / 2;
  const std::int64_t taps = (width + rate - 1) / rate;
  return {floor_div(begin + padding, rate) - (taps - 1), floor_div(end - 1 + padding, rate) + 1};
}

std::int64_t stride_for(std::int64_t samples) {
  return (samples + kernels::kConvReach + kPad - 1) / kPad * kPad;
}

}  // namespace

// Memory of one render() on one thread: a stack of buffers. It grows by whole blocks, which stay
// for the thread's next calls.
class HifiGan::Scratch {
 public:
  static Scratch& of_thread() {
    static thread_local Scratch scratch;
    return scratch;
  }

  // Rows for a range; zeros outside [0, total). They live until the mark is released.
  Rows rows(std::int64_t channels, Range range, std::int64_t total) {
    const std::int64_t stride = stride_for(range.size());
    const Rows rows{take(channels * stride), stride, range};
    const Range inside = range.within(total);
    for (std::int64_t c = 0; c < channels; ++c) {
      float* const row = rows.data + c * stride;
      std::fill_n(row, std::min(range.size(), inside.begin - range.begin), 0.0F);
      // What lies behind the range is read by the last tile, and its results are dropped: it must
      // hold numbers only.
      float* const behind = row + (inside.end - range.begin);
      std::fill(behind, row + stride, 0.0F);
    }
    return rows;
  }

  struct Mark {
    std::size_t block, used;
  };
  Mark mark() const { return {block_, used_}; }
  void release(Mark mark) {
    block_ = mark.block;
    used_ = mark.used;
  }

 private:
  struct Block {
    std::shared_ptr<float[]> data;
    std::size_t size;
  };
  static constexpr std::size_t kBlockFloats = std::size_t{1} << 18;

  float* take(std::int64_t floats) {
    const auto wanted = static_cast<std::size_t>(floats);
    while (block_ < blocks_.size() && used_ + wanted > blocks_[block_].size) {
      ++block_;
      used_ = 0;
    }
    if (block_ == blocks_.size()) {
      const std::size_t size = std::max(wanted, kBlockFloats);
      blocks_.push_back({aligned_floats(static_cast<std::int64_t>(size)), size});
      used_ = 0;
    }
    float* const data = blocks_[block_].data.get() + used_;
    used_ += wanted;
    return data;
  }

  std::vector<Block> blocks_;
  std::size_t block_ = 0, used_ = 0;
};

HifiGan::Range HifiGan::Range::within(std::int64_t total) const {
  const std::int64_t from = std::clamp<std::int64_t>(begin, 0, total);
  return {from, std::clamp<std::int64_t>(end, from, total)};
}

std::int64_t HifiGan::Block::reach() const {
  std::int64_t sum = 0;
  for (const Conv& conv : first) sum += conv.reach();
  for (const Conv& conv : second) sum += conv.reach();
  return sum;
}

std::int64_t HifiGan::Stage::reach() const {
  std::int64_t most = 0;
  for (const Block& block : blocks) most = std::max(most, block.reach());
  return most;
}

HifiGan::Range HifiGan::Stage::needs(Range wanted) const {
  const auto [begin, end] = upsampled_from(wanted.begin, wanted.end, rate, width);
  return {begin, end};
}

std::int64_t HifiGan::Stage::tile() const {
  return std::max<std::int64_t>(96, kTileFloats / 5 / outputs);
}

HifiGan::Conv HifiGan::make_conv(const VocoderLayer& layer, std::int64_t dilation) {
  Conv conv;
  conv.outputs = layer.shape[0];
  conv.inputs = layer.shape[1];
  conv.width = layer.shape[2];
  conv.dilation = dilation;
  const std::int64_t blocks = (conv.outputs + kernels::kConvOutputs - 1) / kernels::kConvOutputs;
  conv.taps.resize(
      static_cast<std::size_t>(blocks * kernels::kConvOutputs * conv.inputs * conv.width));
  conv.bias = layer.bias;
  conv.bias.resize(static_cast<std::size_t>(blocks * kernels::kConvOutputs));
  for (std::int64_t o = 0; o < conv.outputs; ++o)
    for (std::int64_t i = 0; i < conv.inputs; ++i)
      for (std::int64_t k = 0; k < conv.width; ++k) {
        const std::int64_t block = o / kernels::kConvOutputs, lane = o % kernels::kConvOutputs;
        const std::int64_t at =
            ((block * conv.inputs + i) * conv.width + k) * kernels::kConvOutputs + lane;
        conv.taps[static_cast<std::size_t>(at)] =
            layer.weight[static_cast<std::size_t>((o * conv.inputs + i) * conv.width + k)];
      }
  return conv;
}

HifiGan::Stage HifiGan::make_stage(const VocoderConfig& config, const VocoderWeights& weights,
                                   std::size_t index) {
  const VocoderLayer& up = weights.ups[index];
  Stage stage;
  stage.rate = config.upsample_rates[index];
  stage.width = config.upsample_kernel_sizes[index];
  stage.outputs = up.shape[1];
  stage.samples_per_frame = 1;
  for (std::size_t i = 0; i <= index; ++i) stage.samples_per_frame *= config.upsample_rates[i];
  // The taps of output q · rate + phase − padding lie at phase, phase + rate, … They are reversed,
  // so that each phase is a convolution over inputs q − taps + 1 … q.
  const std::int64_t taps = (stage.width + stage.rate - 1) / stage.rate, inputs = up.shape[0];
  for (std::int64_t phase = 0; phase < stage.rate; ++phase) {
    VocoderLayer part{{}, up.bias, {stage.outputs, inputs, taps}};
    part.weight.resize(static_cast<std::size_t>(stage.outputs * inputs * taps));
    for (std::int64_t i = 0; i < inputs; ++i)
      for (std::int64_t o = 0; o < stage.outputs; ++o)
        for (std::int64_t j = 0; j < taps; ++j) {
          const std::int64_t k = phase + j * stage.rate;
          if (k >= stage.width) continue;
          part.weight[static_cast<std::size_t>((o * inputs + i) * taps + taps - 1 - j)] =
              up.weight[static_cast<std::size_t>((i * stage.outputs + o) * stage.width + k)];
        }
    stage.phases.push_back(make_conv(part, 1));
  }
  const std::size_t kernels = config.resblock_kernel_sizes.size();
  for (std::size_t k = 0; k < kernels; ++k) {
    const std::vector<VocoderLayer>& layers = weights.blocks[index * kernels + k];
    Block& block = stage.blocks.emplace_back();
    for (std::size_t i = 0; i < layers.size(); i += 2) {
      block.first.push_back(make_conv(layers[i], config.resblock_dilations[k][i / 2]));
      block.second.push_back(make_conv(layers[i + 1], 1));
    }
  }
  return stage;
}

HifiGan::HifiGan(const VocoderConfig& config, const VocoderWeights& weights)
    : Vocoder(config, weights), pre_(make_conv(weights.pre, 1)), post_(make_conv(weights.post, 1)) {
  for (std::size_t i = 0; i < weights.ups.size(); ++i)
    stages_.push_back(make_stage(config, weights, i));
}

HifiGan::Rows HifiGan::first_layer(Scratch& scratch, const MelWindow& mel, Range range) const {
  const Range wanted = range.within(mel.total);
  const Rows in = scratch.rows(config_.num_mels, wanted.widened(pre_.reach()), mel.total);
  const Range there = in.range.within(mel.total);
  for (std::int64_t m = 0; m < config_.num_mels; ++m)
    kernels::expm1_positive(mel.data + m * mel.stride + (there.begin - mel.first),
                            in.at(there.begin) + m * in.stride, there.size());
  const Rows out = scratch.rows(pre_.outputs, range, mel.total);
  kernels::conv1d(pre_.kernel(), in.data, in.stride, wanted.size(), pre_.outputs,
                  out.at(wanted.begin), out.stride, {kernels::Finish::kLeaky, kSlope});
  return out;
}

HifiGan::Rows HifiGan::output(Scratch& scratch, const MelWindow& mel, std::size_t index,
                              Range range) const {
  const Stage& stage = stages_[index];
  const std::int64_t total = mel.total * stage.samples_per_frame;
  const Range wanted = range.within(total);
  const Range inputs = stage.needs(wanted.widened(stage.reach()).within(total));
  const Rows out = scratch.rows(stage.outputs, range, total);
  const Rows in =
      index == 0 ? first_layer(scratch, mel, inputs) : output(scratch, mel, index - 1, inputs);
  // Tiles of equal size: a small last one would compute more beside its samples than of them.
  const std::int64_t tiles =
      std::max<std::int64_t>(1, (wanted.size() + stage.tile() / 2) / stage.tile());
  const std::int64_t tile = (wanted.size() + tiles - 1) / tiles;
  for (std::int64_t begin = wanted.begin; begin < wanted.end; begin += tile) {
    const Scratch::Mark mark = scratch.mark();
    fill(scratch, index, in, {begin, std::min(wanted.end, begin + tile)}, total, out);
    scratch.release(mark);
  }
  return out;
}

// x: the upsampled signal; leaky: the same, rectified.
void HifiGan::upsample(Scratch& scratch, const Stage& stage, const Rows& input, const Rows& x,
                       const Rows& leaky, std::int64_t total) const {
  const std::int64_t padding = (stage.width - stage.rate) / 2;
  const std::int64_t taps = stage.phases[0].width;
  const Range inside = x.range.within(total);
  // The groups of `rate` outputs that reach into the range.
  const Range groups{floor_div(inside.begin + padding, stage.rate),
                     floor_div(inside.end - 1 + padding, stage.rate) + 1};
  std::vector<Rows> phases;
  for (const Conv& phase : stage.phases) {
    const Rows rows = scratch.rows(stage.outputs, groups, groups.end);
    kernels::conv1d(phase.kernel(), input.at(groups.begin - (taps - 1)), input.stride,
                    groups.size(), stage.outputs, rows.data, rows.stride,
                    {kernels::Finish::kStore});
    phases.push_back(rows);
  }
  for (std::int64_t c = 0; c < stage.outputs; ++c) {
    float* const to = x.at(inside.begin) + c * x.stride;
    float* const rectified = leaky.at(inside.begin) + c * leaky.stride;
    std::int64_t group = floor_div(inside.begin + padding, stage.rate);
    std::int64_t phase = inside.begin + padding - group * stage.rate;
    for (std::int64_t i = 0; i < inside.size(); ++i) {
      const float v = *(phases[static_cast<std::size_t>(phase)].at(group) + c * phases[0].stride);
      to[i] = v;
      rectified[i] = v > v * kSlope ? v : v * kSlope;
      if (++phase == stage.rate) {
        phase = 0;
        ++group;
      }
    }
  }
}

void HifiGan::fill(Scratch& scratch, std::size_t index, const Rows& input, Range range,
                   std::int64_t total, const Rows& out) const {
  using kernels::Finish;
  const Stage& stage = stages_[index];
  const Range widest = range.widened(stage.reach());
  const Rows x = scratch.rows(stage.outputs, widest, total);
  const Rows leaky_x = scratch.rows(stage.outputs, widest, total);
  upsample(scratch, stage, input, x, leaky_x, total);
  const float last_slope = index + 1 == stages_.size() ? kVocoderLastSlope : kSlope;
  for (std::size_t b = 0; b < stage.blocks.size(); ++b) {
    const Block& block = stage.blocks[b];
    const Scratch::Mark mark = scratch.mark();
    std::int64_t reach = block.reach();
    const Rows inner = scratch.rows(stage.outputs, range.widened(reach), total);
    const Rows sum = scratch.rows(stage.outputs, range.widened(reach), total);
    const Rows leaky_sum = scratch.rows(stage.outputs, range.widened(reach), total);
    for (std::size_t i = 0; i < block.first.size(); ++i) {
      const Rows& from = i == 0 ? x : sum;
      const Rows& leaky_from = i == 0 ? leaky_x : leaky_sum;
      const Conv& first = block.first[i];
      const Conv& second = block.second[i];
      reach -= first.reach();
      const Range middle = range.widened(reach).within(total);
      kernels::conv1d(first.kernel(), leaky_from.at(middle.begin - first.reach()),
                      leaky_from.stride, middle.size(), stage.outputs, inner.at(middle.begin),
                      inner.stride, {Finish::kLeaky, kSlope});
      reach -= second.reach();
      const Range end = range.widened(reach).within(total);
      kernels::Conv1dFinish finish{Finish::kResidual, kSlope};
      finish.rest = from.at(end.begin);
      finish.rest_stride = from.stride;
      Rows to = sum;
      if (i + 1 == block.first.size()) {
        to = out;
        finish.slope = last_slope;
        finish.blocks = static_cast<float>(stage.blocks.size());
        const bool is_first = b == 0, is_last = b + 1 == stage.blocks.size();
        finish.what = is_first  ? is_last ? Finish::kOnlyMean : Finish::kFirstMean
                      : is_last ? Finish::kLastMean
                                : Finish::kMean;
      } else {
        finish.leaky_out = leaky_sum.at(end.begin);
        finish.leaky_stride = leaky_sum.stride;
      }
      kernels::conv1d(second.kernel(), inner.at(end.begin - second.reach()), inner.stride,
                      end.size(), stage.outputs, to.at(end.begin), to.stride, finish);
    }
    scratch.release(mark);
  }
}

void HifiGan::render(const MelWindow& mel, std::int64_t begin, std::int64_t end,
                     float* wave) const {
  Scratch& scratch = Scratch::of_thread();
  const Scratch::Mark mark = scratch.mark();
  const std::int64_t hop = config_.hop_length;
  const Range range{begin * hop, end * hop};
  const Rows in = output(scratch, mel, stages_.size() - 1, range.widened(post_.reach()));
  kernels::conv1d(post_.kernel(), in.data, in.stride, range.size(), 1, wave, range.size(),
                  {kernels::Finish::kStore});
  kernels::tanh(wave, 0.0F, wave, range.size());
  scratch.release(mark);
}

namespace {

constexpr const char* kConfig = "vocoder_state.config.";

[[noreturn]] void refuse(const std::string& field, const std::string& rule) {
  throw Error(ErrorCode::kSchema, kConfig + field + " must be " + rule)
      .with("field", kConfig + field);
}

void check_each(const std::string& field, const std::vector<std::int64_t>& values,
                std::int64_t count_from, std::int64_t count_to, std::int64_t low,
                std::int64_t high) {
  const auto count = static_cast<std::int64_t>(values.size());
  const bool right = count >= count_from && count <= count_to &&
                     std::all_of(values.begin(), values.end(),
                                 [&](std::int64_t v) { return v >= low && v <= high; });
  if (right) return;
  const std::string counts = count_from == count_to
                                 ? std::to_string(count_from)
                                 : std::to_string(count_from) + " to " + std::to_string(count_to);
  refuse(field, counts + " numbers from " + std::to_string(low) + " to " + std::to_string(high));
}

// Bounds far above those of any real vocoder.
constexpr std::int64_t kMaxChannels = 4096, kMaxStages = 8, kMaxRate = 512, kMaxWidth = 1024;
constexpr std::int64_t kMaxBlocks = 8, kMaxBlockWidth = 63, kMaxDilation = 64;

}  // namespace

void check_vocoder_config(const VocoderConfig& config) {
  check_each("sample_rate", {config.sample_rate}, 1, 1, 1, 768000);
  check_each("num_mels", {config.num_mels}, 1, 1, 1, 4096);
  check_each("upsample_initial_channel", {config.upsample_initial_channel}, 1, 1, 2, kMaxChannels);
  check_each("upsample_rates", config.upsample_rates, 1, kMaxStages, 1, kMaxRate);
  const auto stages = static_cast<std::int64_t>(config.upsample_rates.size());
  check_each("upsample_kernel_sizes", config.upsample_kernel_sizes, stages, stages, 1, kMaxWidth);
  std::int64_t product = 1;
  for (std::size_t i = 0; i < config.upsample_rates.size(); ++i) {
    const std::int64_t rate = config.upsample_rates[i], width = config.upsample_kernel_sizes[i];
    if (width < rate || (width - rate) % 2 != 0)
      refuse("upsample_kernel_sizes", "the upsample_rates plus even numbers");
    product = std::min(product * rate, std::int64_t{1} << 40);
  }
  if (product != config.hop_length)
    refuse("upsample_rates", "numbers whose product is hop_size, " +
                                 std::to_string(config.hop_length) + ", not " +
                                 std::to_string(product));
  if (config.upsample_initial_channel % (std::int64_t{1} << stages) != 0)
    refuse("upsample_initial_channel",
           "divisible by two for each of the " + std::to_string(stages) + " stages");
  check_each("resblock_kernel_sizes", config.resblock_kernel_sizes, 1, kMaxBlocks, 1,
             kMaxBlockWidth);
  for (const std::int64_t width : config.resblock_kernel_sizes)
    if (width % 2 == 0) refuse("resblock_kernel_sizes", "odd numbers");
  if (config.resblock_dilations.size() != config.resblock_kernel_sizes.size())
    refuse("resblock_dilation_sizes", "one list for each of the resblock_kernel_sizes");
  for (const auto& dilations : config.resblock_dilations)
    check_each("resblock_dilation_sizes", dilations, 1, kMaxBlocks, 1, kMaxDilation);
}

std::int64_t vocoder_context(const VocoderConfig& config) {
  std::int64_t widest = 0;  // reach of the widest block
  for (std::size_t k = 0; k < config.resblock_kernel_sizes.size(); ++k) {
    const std::int64_t half = (config.resblock_kernel_sizes[k] - 1) / 2;
    std::int64_t reach = 0;
    for (const std::int64_t dilation : config.resblock_dilations[k])
      reach += half * dilation + half;
    widest = std::max(widest, reach);
  }
  constexpr std::int64_t kEndReach = (kEndWidth - 1) / 2;
  std::int64_t begin = -kEndReach, end = config.hop_length + kEndReach;
  for (std::size_t i = config.upsample_rates.size(); i-- > 0;)
    std::tie(begin, end) = upsampled_from(begin - widest, end + widest, config.upsample_rates[i],
                                          config.upsample_kernel_sizes[i]);
  return std::max(-(begin - kEndReach), end + kEndReach - 1);
}

namespace {

VocoderLayer take_layer(WeightCollector& collect, const std::string& name,
                        const std::vector<std::int64_t>& shape, std::int64_t outputs) {
  VocoderLayer layer;
  layer.shape = shape;
  const Parameter bias = collect.take(name + ".bias", {outputs});
  const Parameter g = collect.take(name + ".weight_g", {shape[0], 1, 1});
  const Parameter v = collect.take(name + ".weight_v", shape);
  layer.bias.assign(bias.data, bias.data + bias.numel);
  layer.weight.resize(static_cast<std::size_t>(v.numel));
  const std::int64_t each = v.numel / shape[0];
  for (std::int64_t i = 0; i < shape[0]; ++i) {
    const float* const from = v.data + i * each;
    double square = 0.0;
    for (std::int64_t j = 0; j < each; ++j) square += static_cast<double>(from[j]) * from[j];
    const auto norm = static_cast<float>(std::sqrt(square));
    const float scale = g.data[i] / norm;
    for (std::int64_t j = 0; j < each; ++j)
      layer.weight[static_cast<std::size_t>(i * each + j)] = from[j] * scale;
  }
  return layer;
}

}  // namespace

VocoderWeights collect_vocoder(const StateDict& state, const VocoderConfig& config) {
  VocoderWeights weights;
  Memory memory;
  WeightCollector collect(state, "a HiFi-GAN generator with this config",
                          "vocoder_state.generator_state_dict.", memory);
  std::int64_t channels = config.upsample_initial_channel;
  weights.pre = take_layer(collect, "conv_pre", {channels, config.num_mels, kEndWidth}, channels);
  const std::size_t stages = config.upsample_rates.size();
  for (std::size_t i = 0; i < stages; ++i, channels /= 2)
    weights.ups.push_back(take_layer(collect, "ups." + std::to_string(i),
                                     {channels, channels / 2, config.upsample_kernel_sizes[i]},
                                     channels / 2));
  channels = config.upsample_initial_channel;
  for (std::size_t i = 0; i < stages; ++i) {
    channels /= 2;
    for (std::size_t k = 0; k < config.resblock_kernel_sizes.size(); ++k) {
      const std::string block =
          "resblocks." + std::to_string(i * config.resblock_kernel_sizes.size() + k);
      const std::int64_t width = config.resblock_kernel_sizes[k];
      std::vector<VocoderLayer>& layers = weights.blocks.emplace_back();
      for (std::size_t d = 0; d < config.resblock_dilations[k].size(); ++d)
        for (const char* convs : {".convs1.", ".convs2."})
          layers.push_back(take_layer(collect, block + convs + std::to_string(d),
                                      {channels, channels, width}, channels));
    }
  }
  weights.post = take_layer(collect, "conv_post", {1, channels, kEndWidth}, 1);
  collect.finish();
  weights.bytes = memory.bytes;
  return weights;
}

}  // namespace sda::engine
