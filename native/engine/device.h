// Which device a name stands for, and LibTorch's CUDA half, which is opened only when asked about.
#pragma once

#include <c10/core/Device.h>

#include <string>

namespace sda::engine {

// What may be wrong between here and a CUDA device; empty when one answers.
struct CudaState {
  int devices = 0;
  std::string reason;
};

// Opens libtorch_cuda beside libtorch_cpu on the first call, when it is there. Hundreds of
// milliseconds then, nothing later; any thread.
const CudaState& cuda_state();

// The meaning of "auto", "cpu", "cuda", "cuda:N", "mps": kArgument for another text, kDevice with
// the reason for a device that isn't there.
c10::Device choose_device(const std::string& requested);

}  // namespace sda::engine
