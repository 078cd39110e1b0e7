#include "os/cpu_features.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace sda::os {
namespace {

#if defined(__x86_64__)
constexpr bool bit(unsigned value, int index) { return (value >> index & 1U) != 0; }

// The register states that the operating system saves (Intel SDM, volume 1, 13.3).
unsigned saved_states() {
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

CpuFeatures detect() {
  CpuFeatures found;
  unsigned a, b, c, d;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return found;
  found.pclmul = bit(c, 1);
  found.sse41 = bit(c, 19);
  const bool has_fma = bit(c, 12), has_xgetbv = bit(c, 27), has_avx = bit(c, 28);
  if (!has_xgetbv || !has_avx) return found;
  const unsigned states = saved_states();
  const bool keeps_ymm = (states & 0x06U) == 0x06U, keeps_zmm = (states & 0xe6U) == 0xe6U;
  if (!keeps_ymm) return found;
  found.fma = has_fma;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return found;
  found.avx2 = bit(b, 5);
  found.vpclmulqdq = bit(c, 10);
  found.avx512f = keeps_zmm && bit(b, 16);
  return found;
}
#else
CpuFeatures detect() { return {}; }
#endif

}  // namespace

const CpuFeatures& cpu_features() {
  static const CpuFeatures found = detect();
  return found;
}

}  // namespace sda::os
