// Function multiversioning instead of -march=native: one binary that uses each machine's widest
// vectors. Code that must give the same bits on every processor is compiled with
// -ffp-contract=off: its versions then differ only in vector width. (An "arch=…" version would run
// only on exactly that processor, not on later ones.)
#pragma once

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define SDA_MULTIVERSION __attribute__((target_clones("default", "avx2")))
// For sums of products by fma: every version fuses, in one instruction where the processor has it.
#define SDA_MULTIVERSION_FMA __attribute__((target_clones("default", "fma")))
#else
#define SDA_MULTIVERSION
#define SDA_MULTIVERSION_FMA
#endif
// Inlined into each version of its callers; otherwise it would exist in the default version only.
#define SDA_INLINE inline __attribute__((always_inline))
#define SDA_LAMBDA_INLINE __attribute__((always_inline))
