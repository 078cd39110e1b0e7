// Chooses among kernels that are compiled for several instruction sets in files of their own.
#pragma once

#include "engine/multiversion.h"
#include "os/cpu_features.h"

namespace sda::engine {

enum class Instructions { kPlain, kFma, kAvx512 };

// The best set of this processor.
inline Instructions instructions() {
  static const Instructions best = [] {
    if (!has_avx2()) return Instructions::kPlain;
    return os::cpu_features().avx512f ? Instructions::kAvx512 : Instructions::kFma;
  }();
  return best;
}

}  // namespace sda::engine

// Calls the function of the namespace plain, fma or avx512.
#if defined(__x86_64__)
#define SDA_DISPATCH(call)                                                             \
  ::sda::engine::instructions() == ::sda::engine::Instructions::kAvx512 ? avx512::call \
  : ::sda::engine::instructions() == ::sda::engine::Instructions::kFma  ? fma::call    \
                                                                        : plain::call
#else
#define SDA_DISPATCH(call) plain::call
#endif
