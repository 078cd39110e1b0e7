#include "engine/spectrum/tridiagonal.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/threads/parallel.h"

namespace sda::engine {
namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

// Diagonalises a matrix. Afterwards row i of `vectors` is the eigenvector of diagonal[i].
class ImplicitQl {
 public:
  ImplicitQl(std::vector<double>& diagonal, std::vector<double>& beside)
      : size_(diagonal.size()), d_(diagonal), e_(beside), vectors_(size_ * size_) {
    e_.push_back(0.0);
    for (std::size_t i = 0; i < size_; ++i) vectors_[i * size_ + i] = 1.0;
  }

  const std::vector<double>& run(const CancelToken& cancel) {
    for (std::size_t first = 0; first < size_; ++first)
      for (std::size_t last = end_of_block(first); last != first; last = end_of_block(first)) {
        cancel.throw_if_cancelled();
        sweep(first, last);
      }
    return vectors_;
  }

 private:
  // The first index from `first` on that is not joined to the next one.
  std::size_t end_of_block(std::size_t first) const {
    std::size_t i = first;
    while (i + 1 < size_ && std::abs(e_[i]) > kEpsilon * (std::abs(d_[i]) + std::abs(d_[i + 1])))
      ++i;
    return i;
  }

  // One QL step with Wilkinson's shift on the block [first, last].
  void sweep(std::size_t first, std::size_t last) {
    const double half = (d_[first + 1] - d_[first]) / (2.0 * e_[first]);
    const double root = std::copysign(std::hypot(half, 1.0), half);
    double g = d_[last] - d_[first] + e_[first] / (half + root);
    double sine = 1.0, cosine = 1.0, change = 0.0;
    for (std::size_t i = last; i-- > first;) {
      const double f = sine * e_[i], b = cosine * e_[i];
      const double r = std::hypot(f, g);
      e_[i + 1] = r;
      if (r == 0.0) {
        d_[i + 1] -= change;
        e_[last] = 0.0;
        return;
      }
      sine = f / r;
      cosine = g / r;
      g = d_[i + 1] - change;
      const double turned = (d_[i] - g) * sine + 2.0 * cosine * b;
      change = sine * turned;
      d_[i + 1] = g + change;
      g = cosine * turned - b;
      rotate(i, sine, cosine);
    }
    d_[first] -= change;
    e_[first] = g;
    e_[last] = 0.0;
  }

  void rotate(std::size_t i, double sine, double cosine) {
    double* const low = vectors_.data() + i * size_;
    double* const high = low + size_;
    for (std::size_t k = 0; k < size_; ++k) {
      const double f = high[k];
      high[k] = sine * low[k] + cosine * f;
      low[k] = cosine * low[k] - sine * f;
    }
  }

  std::size_t size_;
  std::vector<double>& d_;
  std::vector<double>& e_;
  std::vector<double> vectors_;
};

}  // namespace

std::vector<double> pseudo_inverse(std::vector<double> diagonal, std::vector<double> beside,
                                   double tolerance, const CancelToken& cancel) {
  const std::size_t size = diagonal.size();
  ImplicitQl decomposition(diagonal, beside);
  const std::vector<double>& vectors = decomposition.run(cancel);
  const double smallest = tolerance * *std::max_element(diagonal.begin(), diagonal.end());
  std::vector<double> inverse(size * size);
  parallel_for(static_cast<std::int64_t>(size), [&](std::int64_t row) {
    cancel.throw_if_cancelled();
    double* const sums = inverse.data() + static_cast<std::size_t>(row) * size;
    for (std::size_t i = 0; i < size; ++i) {
      if (!(diagonal[i] > smallest)) continue;
      const double* const vector = vectors.data() + i * size;
      const double weight = vector[row] / diagonal[i];
      for (std::size_t k = 0; k < size; ++k) sums[k] += weight * vector[k];
    }
  });
  return inverse;
}

}  // namespace sda::engine
