// Function multiversioning instead of -march=native: one binary that uses each machine's widest
// vectors. The code is compiled with -ffp-contract=off: its versions differ only in vector width,
// so they give the same bits.
#pragma once

#include "os/cpu_features.h"

// Inlined into each version of its callers; otherwise it would exist in the baseline version only.
#define SDA_INLINE inline __attribute__((always_inline))
#define SDA_LAMBDA_INLINE __attribute__((always_inline))

#if defined(__x86_64__)
#define SDA_AVX2 __attribute__((target("avx2,fma")))
#else
#define SDA_AVX2
#endif

namespace sda::engine {

// Whether the processor has AVX2 and FMA.
inline bool has_avx2() {
  static const bool has = os::cpu_features().avx2 && os::cpu_features().fma;
  return has;
}

// An SDA_INLINE function compiled for the baseline and for AVX2 with FMA. Not target_clones: its
// choice at load time exists in few C libraries.
template <auto kBody>
struct Versions;

template <typename... P, void (*kBody)(P...)>
struct Versions<kBody> {
  SDA_AVX2 static void avx2(P... arguments) { kBody(arguments...); }
  static void baseline(P... arguments) { kBody(arguments...); }
  static void run(P... arguments) { has_avx2() ? avx2(arguments...) : baseline(arguments...); }
};

}  // namespace sda::engine
