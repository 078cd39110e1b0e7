#include "engine/spectrum/mel_scale.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "checkpoint/error.h"
#include "engine/config.h"
#include "engine/kernels.h"
#include "engine/spectrum/lane_fft.h"
#include "engine/spectrum/tridiagonal.h"
#include "engine/threads/parallel.h"

namespace sda::engine {
namespace {

constexpr std::int64_t kMaxBankElements = std::int64_t{1} << 24;

// A pivot below this share of its filter's energy consists of rounding errors.
constexpr double kSmallestPivot = 1e-10;

// Relative to the largest eigenvalue of the Gram matrix. For the bank's singular values it is 1e-6.
constexpr double kGramTolerance = 1e-12;

// Columns of the inverse that a thread computes together.
constexpr std::int64_t kColumnsTogether = 32;

// How often a thread that waits for another thread's factorisation checks its cancel token.
constexpr std::chrono::milliseconds kLookInterval{10};

double hz_to_mel(double hz) { return 2595.0 * std::log10(1.0 + hz / 700.0); }

// torch.linspace in float32, with its roundings.
std::vector<float> linspace(double from, double to, std::int64_t count) {
  const auto first = static_cast<float>(from), last = static_cast<float>(to);
  const float step = (last - first) / static_cast<float>(count - 1);
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i)
    values.push_back(i < count / 2 ? std::fma(step, static_cast<float>(i), first)
                                   : std::fma(-step, static_cast<float>(count - 1 - i), last));
  return values;
}

// 10^x for 0 ≤ x ≤ 38 with the roundings of torch.pow on processors with AVX2, which has the method
// of SLEEF (Shibata and Petrogalli 2020, "SLEEF: a portable vectorized library of C standard
// mathematical functions"): x · ln 10 = q · ln 2 + s, and a polynomial of e^s whose higher terms
// are float32. One value in 65 differs from the nearest float; one in 3,000 still differs from
// torch's.
float power_of_ten(float x) {
  constexpr double kLn10 = 2.302585092995234;
  constexpr double kLn2High = 0.693145751953125, kLn2Low = 1.428606765330187e-06F;
  constexpr float kSeries[] = {0.00136324646882712841F, 0.00836596917361021042F,
                               0.0416710823774337769F, 0.166665524244308472F,
                               0.499999850988388062F};
  const double exponent = kLn10 * x;
  const float q = std::nearbyint(static_cast<float>(exponent) * 1.442695040888963407F);
  const double s = exponent - q * kLn2High - q * kLn2Low;
  float sum = kSeries[0];
  for (int i = 1; i < 5; ++i) sum = std::fma(sum, static_cast<float>(s), kSeries[i]);
  const auto power = static_cast<float>(1.0 + (s + s * s * double{sum}));
  return std::ldexp(power, static_cast<int>(q));
}

// A⁺ = Qᵀ L⁻¹ of a matrix A = L Q with fewer rows than columns, all independent: [columns, rows].
// The factors are those of LAPACK's sgelqf (Householder reflections in float32); the
// computation with them is in double precision. Row m of A is zero before first[m], which grows
// with m, and a reflection leaves rows as they are that begin after its own end.
std::vector<double> least_norm_inverse(std::vector<float> factors,
                                       const std::vector<std::int64_t>& first, std::int64_t columns,
                                       const CancelToken& cancel) {
  const auto rows = static_cast<std::int64_t>(first.size());
  float* const a = factors.data();
  std::vector<float> tau(static_cast<std::size_t>(rows));
  for (std::int64_t i = 0; i < rows; ++i) {
    cancel.throw_if_cancelled();
    float* const v = a + i * columns;
    std::int64_t end = columns;
    while (end > i + 1 && v[end - 1] == 0.0F) --end;
    double square = 0.0;
    for (std::int64_t k = i + 1; k < end; ++k) square += double{v[k]} * v[k];
    if (square == 0.0) continue;
    const float alpha = v[i];
    const double norm = std::hypot(double{alpha}, std::sqrt(square));
    const auto beta = static_cast<float>(alpha >= 0.0F ? -norm : norm);
    tau[i] = static_cast<float>((double{beta} - alpha) / beta);
    const auto scale = static_cast<float>(1.0 / (double{alpha} - beta));
    for (std::int64_t k = i + 1; k < end; ++k) v[k] *= scale;
    for (std::int64_t m = i + 1; m < rows && first[m] < end; ++m) {
      float* const row = a + m * columns;
      double sum = row[i];
      for (std::int64_t k = i + 1; k < end; ++k) sum += double{row[k]} * v[k];
      const float weight = tau[i] * static_cast<float>(sum);
      row[i] -= weight;
      for (std::int64_t k = i + 1; k < end; ++k) row[k] -= weight * v[k];
    }
    v[i] = beta;
  }

  // First L⁻¹, row by row. Then the reflections, from the last to the first, on [L⁻¹; 0].
  std::vector<double> inverse(static_cast<std::size_t>(columns * rows));
  double* const x = inverse.data();
  for (std::int64_t i = 0; i < rows; ++i) {
    cancel.throw_if_cancelled();
    x[i * rows + i] = 1.0;
    for (std::int64_t k = 0; k < i; ++k) {
      const double weight = a[i * columns + k];
      if (weight == 0.0) continue;
      for (std::int64_t j = 0; j <= k; ++j) x[i * rows + j] -= weight * x[k * rows + j];
    }
    for (std::int64_t j = 0; j <= i; ++j) x[i * rows + j] /= a[i * columns + i];
  }
  parallel_for(rows, kColumnsTogether, [&](std::int64_t begin, std::int64_t end) {
    double sums[kColumnsTogether];
    for (std::int64_t i = rows; i-- > 0 && !cancel.cancelled();) {
      const float* const v = a + i * columns;
      const auto weight_of = [&](std::int64_t k) { return k == i ? 1.0 : double{v[k]}; };
      std::fill(std::begin(sums), std::end(sums), 0.0);
      for (std::int64_t k = i; k < columns; ++k) {
        const double weight = weight_of(k);
        if (weight == 0.0) continue;
        for (std::int64_t j = begin; j < end; ++j) sums[j - begin] += weight * x[k * rows + j];
      }
      for (std::int64_t k = i; k < columns; ++k) {
        const double weight = tau[i] * weight_of(k);
        if (weight == 0.0) continue;
        for (std::int64_t j = begin; j < end; ++j) x[k * rows + j] -= weight * sums[j - begin];
      }
    }
  });
  cancel.throw_if_cancelled();
  return inverse;
}

[[noreturn]] void refuse_mels(std::int64_t mels, const std::string& why) {
  throw Error(ErrorCode::kSchema, "n_mels: " + std::to_string(mels) + " mel filters " + why)
      .with("field", "n_mels");
}

}  // namespace

MelScale::MelScale(const SpectrogramConfig& config)
    : bins_(config.n_fft / 2 + 1), filters_(static_cast<std::size_t>(config.n_mels)) {
  const std::int64_t bins = bins_, mels = config.n_mels;
  if (bins * mels > kMaxBankElements) {
    refuse_mels(mels, "of " + std::to_string(bins) + " bins make a bank that is too large");
  }
  // These must keep their float32 roundings: models were trained with them.
  const std::vector<float> frequency =
      linspace(0.0, static_cast<double>(config.sample_rate / 2), bins);
  std::vector<float> corner =
      linspace(hz_to_mel(config.f_min), hz_to_mel(upper_frequency(config)), mels + 2);
  for (float& point : corner) {
    const float exponent = point / 2595.0F;
    point = 700.0F * (power_of_ten(exponent) - 1.0F);
  }

  for (std::int64_t m = 0; m < mels; ++m) {
    const float rise = corner[m + 1] - corner[m];
    const float fall = corner[m + 2] - corner[m + 1];
    if (!(rise > 0.0F && fall > 0.0F)) refuse_mels(mels, "are too many between f_min and f_max");
    const auto begin = std::upper_bound(frequency.begin(), frequency.end(), corner[m]);
    const auto end = std::lower_bound(begin, frequency.end(), corner[m + 2]);
    Filter& filter = filters_[m];
    filter.first = begin - frequency.begin();
    for (auto f = begin; f != end; ++f) {
      const float up = (*f - corner[m]) / rise;
      const float down = (corner[m + 2] - *f) / fall;
      filter.weights.push_back(std::max(0.0F, std::min(up, down)));
    }
  }

  full_rank_ = independent();
}

std::vector<float> MelScale::bank() const {
  std::vector<float> bank(filters_.size() * static_cast<std::size_t>(bins_));
  auto row = bank.begin();
  for (const Filter& filter : filters_) {
    std::copy(filter.weights.begin(), filter.weights.end(), row + filter.first);
    row += bins_;
  }
  return bank;
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

void MelScale::forward_lanes(const float* power, float* mel) const {
  for (std::size_t m = 0; m < filters_.size(); ++m) {
    const Filter& filter = filters_[m];
    kernels::weighted_lanes(filter.weights.data(), power + filter.first * kLanes,
                            static_cast<std::int64_t>(filter.weights.size()),
                            mel + static_cast<std::int64_t>(m) * kLanes);
  }
}

std::vector<double> MelScale::solve(const CancelToken& cancel) const {
  const auto mels = static_cast<std::int64_t>(filters_.size());
  if (full_rank_) {
    std::vector<std::int64_t> first;
    for (const Filter& filter : filters_) first.push_back(filter.first);
    return least_norm_inverse(bank(), first, bins_, cancel);
  }
  const std::vector<float> rows = bank();
  // Aᵀ(AAᵀ)⁺. Only neighbouring filters overlap, so AAᵀ is tridiagonal.
  const auto product = [&](std::int64_t i, std::int64_t j) {
    const float* const a = rows.data() + i * bins_;
    const float* const b = rows.data() + j * bins_;
    double sum = 0.0;
    for (std::int64_t k = 0; k < bins_; ++k) sum += double{a[k]} * b[k];
    return sum;
  };
  std::vector<double> diagonal, beside;
  for (std::int64_t m = 0; m < mels; ++m) diagonal.push_back(product(m, m));
  for (std::int64_t m = 1; m < mels; ++m) beside.push_back(product(m, m - 1));
  const std::vector<double> inverse =
      pseudo_inverse(std::move(diagonal), std::move(beside), kGramTolerance, cancel);
  std::vector<double> solution(static_cast<std::size_t>(bins_ * mels));
  for (std::int64_t m = 0; m < mels; ++m) {
    const Filter& filter = filters_[static_cast<std::size_t>(m)];
    for (std::size_t i = 0; i < filter.weights.size(); ++i)
      for (std::int64_t j = 0; j < mels; ++j)
        solution[(static_cast<std::size_t>(filter.first) + i) * static_cast<std::size_t>(mels) +
                 static_cast<std::size_t>(j)] +=
            double{filter.weights[i]} * inverse[static_cast<std::size_t>(m * mels + j)];
  }
  return solution;
}

std::shared_ptr<const std::vector<double>> MelScale::solution(const CancelToken& cancel) const {
  std::unique_lock lock(mutex_);
  while (solving_) {
    solved_.wait_for(lock, kLookInterval);
    cancel.throw_if_cancelled();
  }
  if (solution_) return solution_;
  solving_ = true;
  lock.unlock();
  std::shared_ptr<const std::vector<double>> found;
  std::exception_ptr failure;
  try {
    found = std::make_shared<const std::vector<double>>(solve(cancel));
  } catch (...) {
    failure = std::current_exception();
  }
  lock.lock();
  solving_ = false;
  solution_ = std::move(found);
  solved_.notify_all();
  if (failure) std::rethrow_exception(failure);
  return solution_;
}

void MelScale::inverse(const double* mel, std::int64_t items, std::int64_t frames, float* power,
                       const CancelToken& cancel) const {
  const auto matrix = solution(cancel);
  const auto mels = static_cast<std::int64_t>(filters_.size());
  parallel_for(items * bins_, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
      kernels::weighted_sum(matrix->data() + row % bins_ * mels, mel + row / bins_ * mels * frames,
                            mels, frames, power + row * frames);
  });
}

}  // namespace sda::engine
