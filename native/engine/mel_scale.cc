#include "engine/mel_scale.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linalg_pinv.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

#include "engine/config.h"

namespace sda::engine {
namespace {

// Below this share of a filter's own energy, what a pivot has left is rounding.
constexpr double kSmallestPivot = 1e-10;

// Relative to the largest eigenvalue of the Gram matrix: 1e-6 in singular values of the bank.
constexpr double kGramTolerance = 1e-12;

double hz_to_mel(double hz) { return 2595.0 * std::log10(1.0 + hz / 700.0); }

}  // namespace

MelScale::MelScale(const SpectrogramConfig& config)
    : bins_(config.n_fft / 2 + 1), mels_(config.n_mels), filters_(mels_) {
  // The float32 roundings of these tensors are part of the format: models were trained with them.
  const at::Tensor frequencies =
      at::linspace(0, static_cast<double>(config.sample_rate / 2), bins_, at::kFloat);
  const at::Tensor mel_points =
      at::linspace(hz_to_mel(config.f_min), hz_to_mel(upper_frequency(config)), mels_ + 2,
                   at::kFloat);
  const at::Tensor corner_tensor = 700.0 * (at::pow(10.0, mel_points / 2595.0) - 1.0);
  const float* frequency = frequencies.const_data_ptr<float>();
  const float* corner = corner_tensor.const_data_ptr<float>();

  for (std::int64_t m = 0; m < mels_; ++m) {
    const float rise = corner[m + 1] - corner[m];
    const float fall = corner[m + 2] - corner[m + 1];
    if (!(rise > 0.0F && fall > 0.0F)) {
      throw Error(ErrorCode::kSchema, "n_mels: " + std::to_string(mels_) +
                                          " mel filters are too many between f_min and f_max")
          .with("field", "n_mels");
    }
    const float* begin = std::upper_bound(frequency, frequency + bins_, corner[m]);
    const float* end = std::lower_bound(begin, frequency + bins_, corner[m + 2]);
    Filter& filter = filters_[m];
    filter.first = begin - frequency;
    filter.weights.reserve(end - begin);
    for (const float* f = begin; f != end; ++f) {
      const float up = (*f - corner[m]) / rise;
      const float down = (corner[m + 2] - *f) / fall;
      filter.weights.push_back(std::max(0.0F, std::min(up, down)));
    }
  }
  factor_gram();
}

void MelScale::factor_gram() {
  std::vector<double> diagonal(mels_, 0.0);
  std::vector<double> neighbour(mels_, 0.0);  // of filter m with filter m - 1
  for (std::int64_t m = 0; m < mels_; ++m) {
    const Filter& filter = filters_[m];
    for (float weight : filter.weights) diagonal[m] += double{weight} * weight;
    if (m == 0) continue;
    const Filter& before = filters_[m - 1];
    const auto before_end = before.first + static_cast<std::int64_t>(before.weights.size());
    for (std::int64_t k = filter.first; k < before_end; ++k) {
      const std::size_t i = k - filter.first;
      if (i >= filter.weights.size()) break;
      neighbour[m] += double{filter.weights[i]} * before.weights[k - before.first];
    }
  }

  pivots_.assign(mels_, 0.0);
  lower_.assign(mels_, 0.0);
  bool full_rank = true;
  for (std::int64_t m = 0; m < mels_ && full_rank; ++m) {
    pivots_[m] = diagonal[m];
    if (m > 0) {
      lower_[m] = neighbour[m] / pivots_[m - 1];
      pivots_[m] -= lower_[m] * neighbour[m];
    }
    full_rank = pivots_[m] > kSmallestPivot * diagonal[m];
  }
  if (full_rank) return;

  at::Tensor gram = at::zeros({mels_, mels_}, at::kDouble);
  double* g = gram.data_ptr<double>();
  for (std::int64_t m = 0; m < mels_; ++m) {
    g[m * mels_ + m] = diagonal[m];
    if (m > 0) g[m * mels_ + m - 1] = g[(m - 1) * mels_ + m] = neighbour[m];
  }
  const at::Tensor inverse =
      at::linalg_pinv(gram, kGramTolerance, /*hermitian=*/true).contiguous();
  const double* data = inverse.const_data_ptr<double>();
  gram_inverse_.assign(data, data + mels_ * mels_);
}

void MelScale::solve_gram(std::vector<double>& values) const {
  if (!full_rank()) {
    std::vector<double> solved(mels_, 0.0);
    for (std::int64_t row = 0; row < mels_; ++row) {
      const double* weights = gram_inverse_.data() + row * mels_;
      for (std::int64_t m = 0; m < mels_; ++m) solved[row] += weights[m] * values[m];
    }
    values = std::move(solved);
    return;
  }
  for (std::int64_t m = 1; m < mels_; ++m) values[m] -= lower_[m] * values[m - 1];
  for (std::int64_t m = 0; m < mels_; ++m) values[m] /= pivots_[m];
  for (std::int64_t m = mels_ - 1; m > 0; --m) values[m - 1] -= lower_[m] * values[m];
}

void MelScale::forward(const float* power, float* mel, std::int64_t mel_stride) const {
  for (std::int64_t m = 0; m < mels_; ++m) {
    const Filter& filter = filters_[m];
    const float* bin = power + filter.first;
    float sum = 0.0F;
    for (std::size_t i = 0; i < filter.weights.size(); ++i) sum += filter.weights[i] * bin[i];
    mel[m * mel_stride] = sum;
  }
}

void MelScale::inverse(const float* mel, std::int64_t mel_stride, float* power) const {
  std::vector<double> dual(mels_);
  for (std::int64_t m = 0; m < mels_; ++m) dual[m] = mel[m * mel_stride];
  solve_gram(dual);

  std::vector<double> sum(bins_, 0.0);
  for (std::int64_t m = 0; m < mels_; ++m) {
    const Filter& filter = filters_[m];
    double* bin = sum.data() + filter.first;
    for (std::size_t i = 0; i < filter.weights.size(); ++i) bin[i] += dual[m] * filter.weights[i];
  }
  for (std::int64_t k = 0; k < bins_; ++k) power[k] = static_cast<float>(std::max(sum[k], 0.0));
}

at::Tensor MelScale::dense() const {
  at::Tensor bank = at::zeros({bins_, mels_}, at::kFloat);
  float* data = bank.data_ptr<float>();
  for (std::int64_t m = 0; m < mels_; ++m) {
    const Filter& filter = filters_[m];
    for (std::size_t i = 0; i < filter.weights.size(); ++i) {
      data[(filter.first + static_cast<std::int64_t>(i)) * mels_ + m] = filter.weights[i];
    }
  }
  return bank;
}

}  // namespace sda::engine
