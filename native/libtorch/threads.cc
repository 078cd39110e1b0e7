#include "libtorch/threads.h"

#include <ATen/Parallel.h>

extern "C" {
// From the OpenMP runtime and the MKL that LibTorch itself uses; null in a LibTorch without them.
void omp_set_num_threads(int threads) __attribute__((weak));
int MKL_Set_Num_Threads_Local(int threads) __attribute__((weak));
}

namespace sda::libtorch {

// Both settings belong to the calling thread alone. at::set_num_threads would change them for the
// whole process.
void prepare_thread() {
  static thread_local const bool done = [] {
    at::get_num_threads();  // the first call on a thread sets both, so it comes before ours
    if (omp_set_num_threads != nullptr) omp_set_num_threads(1);
    if (MKL_Set_Num_Threads_Local != nullptr) MKL_Set_Num_Threads_Local(1);
    return true;
  }();
  static_cast<void>(done);
}

}  // namespace sda::libtorch
