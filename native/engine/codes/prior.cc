#include "engine/codes/prior.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <string>

#include "checkpoint/error.h"
#include "engine/float_tensor.h"
#include "engine/network/conv_kernels.h"
#include "engine/threads/parallel.h"

namespace sda::engine {
namespace {

constexpr double kNormEpsilon = 1e-5;
constexpr std::int64_t kWiden = 4;      // linear1's outputs for each of its inputs
constexpr std::int64_t kRowsEach = 64;  // rows of a matrix that are worth another thread

[[noreturn]] void refuse(const std::string& field, const std::string& rule, std::int64_t found) {
  throw Error(ErrorCode::kSchema,
              "prior_config." + field + " must be " + rule + ", found " + std::to_string(found))
      .with("field", "prior_config." + field);
}

// y = weight · x + bias; without bias where it has no data.
void apply(const Parameter& weight, const Parameter& bias, const float* x, std::int64_t inputs,
           float* y) {
  parallel_for(weight.numel / inputs, kRowsEach, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      y[row] = kernels::dot(weight.data + row * inputs, x, inputs);
      if (bias.data != nullptr) y[row] += bias.data[row];
    }
  });
}

void normalise(const Affine& norm, const float* x, float* y) {
  const std::int64_t count = norm.weight.numel;
  double sum = 0.0, squares = 0.0;
  for (std::int64_t i = 0; i < count; ++i) sum += double{x[i]};
  const double mean = sum / static_cast<double>(count);
  for (std::int64_t i = 0; i < count; ++i) squares += (x[i] - mean) * (x[i] - mean);
  const double scale = 1.0 / std::sqrt(squares / static_cast<double>(count) + kNormEpsilon);
  for (std::int64_t i = 0; i < count; ++i)
    y[i] = static_cast<float>((x[i] - mean) * scale) * norm.weight.data[i] + norm.bias.data[i];
}

// e^(values − their largest), divided by its sum.
void softmax(std::vector<float>& values) {
  const float top = *std::max_element(values.begin(), values.end());
  double sum = 0.0;
  for (float& value : values) {
    value = static_cast<float>(std::exp(static_cast<double>(value - top)));
    sum += double{value};
  }
  for (float& value : values) value = static_cast<float>(value / sum);
}

}  // namespace

void check_prior_config(const PriorConfig& config) {
  const auto check = [](const std::string& field, std::int64_t value, std::int64_t most) {
    if (value < 1 || value > most) refuse(field, "from 1 to " + std::to_string(most), value);
  };
  check("hidden_size", config.hidden_size, 1 << 14);
  check("num_layers", config.num_layers, 256);
  check("num_heads", config.num_heads, config.hidden_size);
  check("seq_len", config.seq_len, 1 << 14);
  check("num_quantizers", config.num_quantizers, 64);
  if (config.hidden_size % config.num_heads != 0)
    refuse("num_heads", "a divisor of hidden_size, " + std::to_string(config.hidden_size),
           config.num_heads);
}

Prior::Prior(const StateDict& state, const PriorConfig& config, std::int64_t codebook_size)
    : config_(config), codes_(codebook_size) {
  const std::int64_t hidden = config.hidden_size, length = config.seq_len;
  WeightCollector collect(state, "a prior with this config", "prior_state_dict.", *this);
  collect.skip("causal_mask", {length, length});
  tokens_ = collect.take("token_emb.weight", {codebook_size, hidden});
  positions_ = collect.take("pos_emb.weight", {length, hidden});
  levels_ = collect.take("level_emb.weight", {config.num_quantizers, hidden});
  for (std::int64_t i = 0; i < config.num_layers; ++i) {
    const std::string prefix = "transformer.layers." + std::to_string(i) + ".";
    Layer& layer = layers_.emplace_back();
    layer.in_weight = collect.take(prefix + "self_attn.in_proj_weight", {3 * hidden, hidden});
    layer.in_bias = collect.take(prefix + "self_attn.in_proj_bias", {3 * hidden});
    collect.affine(prefix + "self_attn.out_proj", {hidden, hidden}, hidden, layer.out);
    collect.affine(prefix + "linear1", {kWiden * hidden, hidden}, kWiden * hidden, layer.linear1);
    collect.affine(prefix + "linear2", {hidden, kWiden * hidden}, hidden, layer.linear2);
    collect.affine(prefix + "norm1", {hidden}, hidden, layer.norm1);
    collect.affine(prefix + "norm2", {hidden}, hidden, layer.norm2);
  }
  collect.affine("ln_f", {hidden}, hidden, last_norm_);
  head_ = collect.take("head.weight", {codebook_size, hidden});
  collect.finish();
}

// One sequence: keeps the keys and values of the codes so far, so that each code is computed once.
class Prior::Run {
 public:
  explicit Run(const Prior& prior)
      : prior_(prior),
        hidden_(prior.config_.hidden_size),
        past_(static_cast<std::size_t>(prior.config_.num_layers)),
        x_(static_cast<std::size_t>(hidden_)),
        normal_(x_.size()),
        mixed_(x_.size()),
        change_(x_.size()),
        three_(3 * x_.size()),
        wide_(kWiden * x_.size()) {}

  // Takes the next code. Writes the logits of the one after it.
  void step(std::int32_t code, float* logits) {
    const float* const token = prior_.tokens_.data + code * hidden_;
    const float* const position = prior_.positions_.data + at_ * hidden_;
    const float* const level = prior_.levels_.data + at_ % prior_.config_.num_quantizers * hidden_;
    for (std::int64_t i = 0; i < hidden_; ++i) x_[i] = token[i] + position[i] + level[i];
    ++at_;
    for (std::size_t l = 0; l < past_.size(); ++l) {
      const Layer& layer = prior_.layers_[l];
      normalise(layer.norm1, x_.data(), normal_.data());
      apply(layer.in_weight, layer.in_bias, normal_.data(), hidden_, three_.data());
      attend(past_[l]);
      apply(layer.out.weight, layer.out.bias, mixed_.data(), hidden_, change_.data());
      for (std::int64_t i = 0; i < hidden_; ++i) x_[i] += change_[i];
      normalise(layer.norm2, x_.data(), normal_.data());
      apply(layer.linear1.weight, layer.linear1.bias, normal_.data(), hidden_, wide_.data());
      for (float& value : wide_) value = std::max(value, 0.0F);
      apply(layer.linear2.weight, layer.linear2.bias, wide_.data(), kWiden * hidden_,
            change_.data());
      for (std::int64_t i = 0; i < hidden_; ++i) x_[i] += change_[i];
    }
    normalise(prior_.last_norm_, x_.data(), normal_.data());
    apply(prior_.head_, {}, normal_.data(), hidden_, logits);
  }

 private:
  struct Past {
    std::vector<float> keys, values;  // [codes so far, hidden]
  };

  // three_ holds the query, the key and the value of the newest code.
  void attend(Past& past) {
    const std::int64_t each = hidden_ / prior_.config_.num_heads;
    past.keys.insert(past.keys.end(), three_.begin() + hidden_, three_.begin() + 2 * hidden_);
    past.values.insert(past.values.end(), three_.begin() + 2 * hidden_, three_.end());
    const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(each)));
    std::fill(mixed_.begin(), mixed_.end(), 0.0F);
    for (std::int64_t head = 0; head < hidden_; head += each) {
      weights_.resize(static_cast<std::size_t>(at_));
      for (std::int64_t t = 0; t < at_; ++t)
        weights_[static_cast<std::size_t>(t)] =
            scale * kernels::dot(three_.data() + head, past.keys.data() + t * hidden_ + head, each);
      softmax(weights_);
      for (std::int64_t t = 0; t < at_; ++t) {
        const float weight = weights_[static_cast<std::size_t>(t)];
        const float* const value = past.values.data() + t * hidden_ + head;
        for (std::int64_t i = 0; i < each; ++i) mixed_[head + i] += weight * value[i];
      }
    }
  }

  const Prior& prior_;
  const std::int64_t hidden_;
  std::int64_t at_ = 0;
  std::vector<Past> past_;
  std::vector<float> x_, normal_, mixed_, change_, three_, wide_, weights_;
};

FloatTensor Prior::logits(std::span<const std::int32_t> codes, const CancelToken& cancel) const {
  FloatTensor result = make_tensor({static_cast<std::int64_t>(codes.size()), codes_});
  Run run(*this);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    cancel.throw_if_cancelled();
    run.step(codes[i], result.data.get() + static_cast<std::int64_t>(i) * codes_);
  }
  return result;
}

std::vector<std::int32_t> Prior::sample(TorchRandom& random, const SampleOptions& options,
                                        const CancelToken& cancel) const {
  std::vector<std::int32_t> codes{
      static_cast<std::int32_t>(random.randint(static_cast<std::uint64_t>(codes_)))};
  std::vector<float> logits(static_cast<std::size_t>(codes_));
  Run run(*this);
  while (static_cast<std::int64_t>(codes.size()) < length()) {
    cancel.throw_if_cancelled();
    run.step(codes.back(), logits.data());
    codes.push_back(draw_code(logits, options, random));
  }
  return codes;
}

std::int32_t draw_code(std::vector<float> logits, const SampleOptions& options,
                       TorchRandom& random) {
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  if (options.temperature != 1.0)
    for (float& value : logits) value /= static_cast<float>(options.temperature);
  if (!std::all_of(logits.begin(), logits.end(), [](float v) { return std::isfinite(v); }))
    throw Error(ErrorCode::kSchema,
                "the prior computes values that are not numbers: its weights are damaged");
  const auto count = static_cast<std::int64_t>(logits.size());
  if (options.top_k > 0 && options.top_k < count) {
    std::vector<float> sorted = logits;
    std::nth_element(sorted.begin(), sorted.begin() + (options.top_k - 1), sorted.end(),
                     std::greater<>());
    const float least = sorted[static_cast<std::size_t>(options.top_k - 1)];
    for (float& value : logits)
      if (value < least) value = kNever;
  }
  if (options.top_p > 0.0 && options.top_p < 1.0) {
    std::vector<std::size_t> order(logits.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });
    std::vector<float> chances;
    for (const std::size_t i : order) chances.push_back(logits[i]);
    softmax(chances);
    double sum = 0.0;
    for (std::size_t i = 0; i < order.size(); ++i) {
      sum += double{chances[i]};
      if (static_cast<float>(sum) - chances[i] >= static_cast<float>(options.top_p))
        logits[order[i]] = kNever;
    }
  }
  softmax(logits);
  return static_cast<std::int32_t>(random.multinomial(logits));
}

}  // namespace sda::engine
