// The pseudo-inverse of a symmetric tridiagonal matrix.
#pragma once

#include <cstdint>
#include <vector>

#include "checkpoint/cancel.h"

namespace sda::engine {

// A⁺ [size, size] of a symmetric, positive semidefinite matrix of these diagonals; `beside` has one
// element less. Eigenvalues up to `tolerance` times the largest one count as zero. By the implicit
// QL method (Martin and Wilkinson 1968, "The implicit QL algorithm").
std::vector<double> pseudo_inverse(std::vector<double> diagonal, std::vector<double> beside,
                                   double tolerance, const CancelToken& cancel);

}  // namespace sda::engine
