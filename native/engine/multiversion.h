// Function multiversioning instead of -march=native: one binary, the machine's own vectors.
// What must have the same bits on every processor is compiled with -ffp-contract=off: the versions
// then differ in width only. (An "arch=…" version would run on exactly that processor, not on later
// ones.)
#pragma once

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define SDA_MULTIVERSION __attribute__((target_clones("default", "avx2")))
// For sums of products by std::fma: fused everywhere, in one instruction where there is one.
#define SDA_MULTIVERSION_FMA __attribute__((target_clones("default", "fma")))
#else
#define SDA_MULTIVERSION
#define SDA_MULTIVERSION_FMA
#endif
// Into the versions of its callers, or it would have the default one.
#define SDA_INLINE inline __attribute__((always_inline))
#define SDA_LAMBDA_INLINE __attribute__((always_inline))
