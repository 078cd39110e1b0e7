// The features, against the compiler's own detection.
#include "os/cpu_features.h"

#include <doctest/doctest.h>

namespace sda::os {
namespace {

TEST_CASE("the features are those that the compiler finds") {
#if defined(__x86_64__) && defined(__GNUC__)
  const CpuFeatures& found = cpu_features();
  CHECK(found.sse41 == (__builtin_cpu_supports("sse4.1") != 0));
  CHECK(found.pclmul == (__builtin_cpu_supports("pclmul") != 0));
  CHECK(found.avx2 == (__builtin_cpu_supports("avx2") != 0));
  CHECK(found.fma == (__builtin_cpu_supports("fma") != 0));
  CHECK(found.vpclmulqdq == (__builtin_cpu_supports("vpclmulqdq") != 0));
  CHECK(found.avx512f == (__builtin_cpu_supports("avx512f") != 0));
#endif
}

}  // namespace
}  // namespace sda::os
