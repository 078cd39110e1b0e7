// What the processor and the operating system offer beyond the baseline of the platform.
#pragma once

namespace sda::os {

// All false on processors other than x86-64.
struct CpuFeatures {
  bool sse41 = false, pclmul = false;
  // With registers that the operating system keeps.
  bool avx2 = false, fma = false, vpclmulqdq = false, avx512f = false;
};

// Read once. Not __builtin_cpu_supports: some compilers do not link its tables into a shared
// library.
const CpuFeatures& cpu_features();

}  // namespace sda::os
