#include "engine/mel_scale.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_lstsq.h>
#include <ATen/ops/linalg_pinv.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

#include "engine/config.h"

namespace sda::engine {
namespace {

constexpr std::int64_t kMaxBankElements = std::int64_t{1} << 24;

// Below this share of a filter's own energy, what a pivot has left is rounding.
constexpr double kSmallestPivot = 1e-10;

// Relative to the largest eigenvalue of the Gram matrix: 1e-6 in singular values of the bank.
constexpr double kGramTolerance = 1e-12;

double hz_to_mel(double hz) { return 2595.0 * std::log10(1.0 + hz / 700.0); }

[[noreturn]] void refuse_mels(std::int64_t mels, const std::string& why) {
  throw Error(ErrorCode::kSchema, "n_mels: " + std::to_string(mels) + " mel filters " + why)
      .with("field", "n_mels");
}

}  // namespace

MelScale::MelScale(const SpectrogramConfig& config) : filters_(config.n_mels) {
  const std::int64_t bins = config.n_fft / 2 + 1;
  const std::int64_t mels = config.n_mels;
  if (bins * mels > kMaxBankElements) {
    refuse_mels(mels, "of " + std::to_string(bins) + " bins are too large a bank");
  }
  // The float32 roundings of these tensors are part of the format: models were trained with them.
  const at::Tensor frequencies =
      at::linspace(0, static_cast<double>(config.sample_rate / 2), bins, at::kFloat);
  const at::Tensor mel_points = at::linspace(
      hz_to_mel(config.f_min), hz_to_mel(upper_frequency(config)), mels + 2, at::kFloat);
  const at::Tensor corners = 700.0 * (at::pow(10.0, mel_points / 2595.0) - 1.0);
  const float* frequency = frequencies.const_data_ptr<float>();
  const float* corner = corners.const_data_ptr<float>();

  bank_ = at::zeros({mels, bins}, at::kFloat);
  for (std::int64_t m = 0; m < mels; ++m) {
    const float rise = corner[m + 1] - corner[m];
    const float fall = corner[m + 2] - corner[m + 1];
    if (!(rise > 0.0F && fall > 0.0F)) refuse_mels(mels, "are too many between f_min and f_max");
    const float* begin = std::upper_bound(frequency, frequency + bins, corner[m]);
    const float* end = std::lower_bound(begin, frequency + bins, corner[m + 2]);
    Filter& filter = filters_[m];
    filter.first = begin - frequency;
    for (const float* f = begin; f != end; ++f) {
      const float up = (*f - corner[m]) / rise;
      const float down = (corner[m + 2] - *f) / fall;
      filter.weights.push_back(std::max(0.0F, std::min(up, down)));
    }
    std::copy(filter.weights.begin(), filter.weights.end(),
              bank_.data_ptr<float>() + m * bins + filter.first);
  }

  if (!independent()) {
    const at::Tensor wide = bank_.to(at::kDouble);
    gram_inverse_ = at::linalg_pinv(at::matmul(wide, wide.t()), kGramTolerance, /*hermitian=*/true);
  }
}

// A filter ends where its second neighbour begins, so the Gram matrix of the bank is tridiagonal,
// and the pivots of its LDLᵀ take one pass.
bool MelScale::independent() const {
  double pivot = 0.0;
  for (std::size_t m = 0; m < filters_.size(); ++m) {
    const Filter& filter = filters_[m];
    double energy = 0.0;
    for (float weight : filter.weights) energy += double{weight} * weight;
    double left = energy;
    if (m > 0) {
      const Filter& before = filters_[m - 1];
      const auto offset = static_cast<std::size_t>(filter.first - before.first);
      double shared = 0.0;
      for (std::size_t i = 0; i < filter.weights.size() && i + offset < before.weights.size();
           ++i) {
        shared += double{filter.weights[i]} * before.weights[i + offset];
      }
      left -= shared * shared / pivot;
    }
    if (!(left > kSmallestPivot * energy)) return false;
    pivot = left;
  }
  return true;
}

void MelScale::forward(const float* power, float* mel, std::int64_t mel_stride) const {
  for (std::size_t m = 0; m < filters_.size(); ++m) {
    const Filter& filter = filters_[m];
    const float* bin = power + filter.first;
    float sum = 0.0F;
    for (std::size_t i = 0; i < filter.weights.size(); ++i) sum += filter.weights[i] * bin[i];
    mel[static_cast<std::int64_t>(m) * mel_stride] = sum;
  }
}

at::Tensor MelScale::inverse(const at::Tensor& mel) const {
  if (full_rank()) {
    // [B, bins, frames] out of a batch of one bank and B right-hand sides.
    return std::get<0>(at::linalg_lstsq(bank_.unsqueeze(0), mel, std::nullopt, "gels")).relu_();
  }
  const at::Tensor dual = at::matmul(gram_inverse_, mel.to(at::kDouble));
  return at::matmul(bank_.to(at::kDouble).t(), dual).clamp_min_(0).to(at::kFloat);
}

}  // namespace sda::engine
